"""Log lines: their form, and that no secret is in them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from sluicegate.control.logs import configured, redact

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
    yield
    root.handlers, root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, str]]:
    """What was written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_own_line_is_json() -> None:
    """A program that reads gets one object a line, with the process and the request it belongs to."""
    stream = io.StringIO()
    log = configured(stream, process="control")
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
    configured(stream, process="control")
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request: %s", "x")
    [line] = lines(stream)
    assert (line["event"], line["level"], line["process"]) == ("Invalid HTTP request: x", "warning", "control")


def test_traceback_holds_no_secret() -> None:
    """An exception is told with its traceback, in which what looks like a credential is hidden."""
    stream = io.StringIO()
    log = configured(stream, process="control")
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
    configured(stream, process="control").warning("a warning", detail=SECRET)
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
