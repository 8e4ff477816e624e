"""Levels of the log, seen and changed while the process runs."""

import json
import logging
from collections.abc import Iterator

import pytest

from sluicegate.control.logs import LIBRARIES
from tests.control.api import Api


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """Leave those of libraries as they were."""
    before = {name: logging.getLogger(name).level for name in LIBRARIES}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_level_is_shown_and_changed(api: Api) -> None:
    """From the next line on; the change itself is a line, with the request that made it."""
    assert api.ask("GET", "/admin/log-level").json["levels"]["sluicegate"] == "info"
    answer = api.ask("PUT", "/admin/log-level", body={"level": "debug"}, headers={"x-request-id": "req_1"})
    assert (answer.status, answer.json["levels"]["sluicegate"]) == (200, "debug")
    api.context.logs.logger.debug("a line")
    changed, line = map(json.loads, api.log_lines.getvalue().splitlines())
    assert line["event"] == "a line"
    assert (changed["event"], changed["to"], changed["by"], changed["request_id"]) == (
        "log level changed",
        "debug",
        "root",
        "req_1",
    )


def test_library_is_named(api: Api) -> None:
    """One at a time."""
    answer = api.ask("PUT", "/admin/log-level", body={"level": "error", "logger": "uvicorn"})
    assert answer.json["levels"]["uvicorn"] == "error"
    assert answer.json["levels"]["sluicegate"] == "info"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"level": "loud"}, "body.level"),
        ({}, "body.level"),
        ({"level": "info", "logger": "httpcore"}, "body.logger"),
        ({"level": "info", "of": "me"}, "body.of"),
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, body: dict[str, str], path: str) -> None:
    """With the field that is wrong, and nothing is changed."""
    answer = api.ask("PUT", "/admin/log-level", body=body)
    assert answer.status == 422
    assert [error["path"] for error in answer.json["errors"]] == [path]
    assert api.ask("GET", "/admin/log-level").json["levels"]["sluicegate"] == "info"
