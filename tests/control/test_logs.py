"""Log lines: their form, which of them are written, and that no secret is in them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from sluicegate.config.schema.logs import LogFormat, LogSample, LogSettings
from sluicegate.control.logs import LIBRARIES, Logs, redact

SECRET = "sk-proj-abcdef1234567890"


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Leave the standard library's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    libraries = {name: logging.getLogger(name).level for name in LIBRARIES}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, least in libraries.items():
        logging.getLogger(name).setLevel(least)


def made(stream: io.StringIO, settings: LogSettings | None = None) -> Logs:
    """The log of a control process, libraries' lines included."""
    logs = Logs(stream, process="control", clock=lambda: 0.0, settings=settings)
    logs.install()
    return logs


def lines(stream: io.StringIO) -> list[dict[str, str]]:
    """What was written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_own_line_is_json() -> None:
    """A program that reads gets one object a line, with the process and the request it belongs to."""
    stream = io.StringIO()
    log = made(stream).logger
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        log.info("configuration loaded", version=2)
    log.debug("not shown")
    [line] = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "process": "control",
        "event": "configuration loaded",
        "version": 2,
        "request_id": "req_1",
    }


def test_library_lines_have_the_same_form() -> None:
    """What a library warns of looks like our own lines; what it only mentions is not shown."""
    stream = io.StringIO()
    made(stream)
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request: %s", "x")
    [line] = lines(stream)
    assert (line["event"], line["level"], line["process"]) == ("Invalid HTTP request: x", "warning", "control")


def test_traceback_holds_no_secret() -> None:
    """An exception is told with its traceback, in which what looks like a credential is hidden."""
    stream = io.StringIO()
    log = made(stream).logger
    try:
        raise ValueError(f"refused {SECRET} and Authorization: Bearer abcdefgh12345678")
    except ValueError:
        log.exception("failed")
        logging.getLogger("library").exception("failed too")
    for line in lines(stream):
        assert "ValueError: refused sk-****" in line["exception"]
    assert SECRET not in stream.getvalue()
    assert "abcdefgh12345678" not in stream.getvalue()


def test_people_get_words() -> None:
    """On a terminal a line is text, secrets hidden all the same."""
    stream = Terminal()
    made(stream).logger.warning("a warning", detail=SECRET)
    assert "a warning" in stream.getvalue()
    assert SECRET not in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("authorization", "Basic abc", "****"),
        ("x_admin_secret", "abc", "****"),
        ("api_key", "abc", "****"),
        ("token", "abc", "****"),
        ("tokens", 17, 17),
        ("input_tokens", 17, 17),
        ("detail", f"key {SECRET}, please", "key sk-****, please"),
        ("detail", "Bearer abcdefgh1234", "Bearer ****"),
        ("detail", "ask-before-you-leave", "ask-before-you-leave"),
        ("version", 3, 3),
    ],
)
def test_secrets_are_hidden(name: str, value: object, shown: object) -> None:
    """Fields named like a secret and words that look like one are hidden, figures and other words are not."""
    assert redact(None, "info", {name: value}) == {name: shown}


def test_level_is_changed_while_it_runs() -> None:
    """From then on, also for who has had the logger for long and bound something to it."""
    stream = io.StringIO()
    logs = made(stream)
    log = logs.logger.bind(worker=1)
    log.debug("no")
    logs.set_level("debug")
    log.debug("yes")
    logs.set_level("error")
    log.info("no")
    log.warning("no")
    log.error("yes")
    log.critical("yes")
    assert [(line["event"], line["level"]) for line in lines(stream)] == [
        ("yes", "debug"),
        ("yes", "error"),
        ("yes", "critical"),
    ]


def test_library_has_a_level_of_its_own() -> None:
    """Its lines are asked for by name; what more is asked of our own lines does not bring in those of libraries."""
    stream = io.StringIO()
    logs = made(stream)
    logs.set_level("debug")
    logging.getLogger("alembic.runtime").info("no")
    logs.set_level("info", "alembic")
    logging.getLogger("alembic.runtime").info("yes")
    logging.getLogger("uvicorn").info("no")
    assert [line["event"] for line in lines(stream)] == ["yes"]
    assert logs.levels() == {
        "sluicegate": "debug",
        "alembic": "info",
        "asyncio": "warning",
        "sqlalchemy": "warning",
        "uvicorn": "warning",
    }
    assert repr(logs) == f"<Logs {logs.levels()}>"


@pytest.mark.parametrize("name", ["httpx2", "", "root", "sqlalchemy.engine"])
def test_other_lines_cannot_be_asked_for(name: str) -> None:
    """They may hold what a log must not."""
    with pytest.raises(KeyError):
        made(io.StringIO()).set_level("debug", name)


def test_settings_are_applied_when_they_change() -> None:
    """A level set by hand stays until the setting of the level itself changes."""
    stream = io.StringIO()
    logs = made(stream, LogSettings(level="error"))
    log = logs.logger
    log.warning("no")
    logs.set_level("debug")
    logs.apply(LogSettings(level="error", format="console"))
    log.debug("as text")
    assert "as text" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    logs.apply(LogSettings(level="warning"))
    log.info("no")
    log.warning("as json")
    assert "no" not in stream.getvalue()
    assert json.loads(stream.getvalue().splitlines()[1])["event"] == "as json"


@pytest.mark.parametrize(
    ("log_format", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("console", io.StringIO, False),
    ],
)
def test_form_is_chosen(log_format: LogFormat, stream: type[io.StringIO], is_json: bool) -> None:
    """By the setting, or by who reads; libraries' lines have it too. Colours are for terminals alone."""
    written = stream()
    made(written, LogSettings(format=log_format)).logger.warning("own")
    logging.getLogger("uvicorn").warning("its")
    assert [line.startswith("{") for line in written.getvalue().splitlines()] == [is_json, is_json]
    assert ("\x1b" in written.getvalue()) == (stream is Terminal and not is_json)


def test_lines_that_repeat_are_sampled() -> None:
    """By level and text, whatever values they have; the next that is written says how many were not."""
    stream = io.StringIO()
    logs = made(stream, LogSettings(sample=LogSample(first=1, every=2)))
    for number in range(3):
        logs.logger.warning("own", number=number)
        logging.getLogger("uvicorn").warning("its %s", number)
    logs.logger.error("own")
    found = [(line["event"], line.get("number"), line.get("left_out")) for line in lines(stream)]
    assert found == [("own", 0, None), ("its 0", None, None), ("own", 2, 1), ("its 2", None, 1), ("own", None, None)]


def test_what_is_not_written_does_not_count() -> None:
    """Lines below the level take no place of those that are written."""
    stream = io.StringIO()
    logs = made(stream, LogSettings(sample=LogSample(first=1, every=1_000)))
    logs.logger.debug("a line")
    logs.set_level("debug")
    logs.logger.debug("a line")
    assert len(lines(stream)) == 1


def test_library_line_tells_its_request() -> None:
    """What a library logs while a request is served belongs to that request too."""
    stream = io.StringIO()
    made(stream)
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        logging.getLogger("uvicorn").warning("a line")
    assert lines(stream)[0]["request_id"] == "req_1"
