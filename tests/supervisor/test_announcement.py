"""What people see once the gateway is ready."""

import json
import shlex
from dataclasses import replace

import pytest

from sluicegate.control.channel import Plan
from sluicegate.supervisor.announcement import announcement, quoted


def test_address_source_and_stop_are_told(plan: Plan) -> None:
    """Where it is, what it runs on, where it keeps things and how it ends."""
    text = announcement(plan, host="127.0.0.1", port=80, version="1.2", demo_token=None, log_file=None)
    rows = [line.split(maxsplit=1) for line in text.splitlines()[2:]]
    assert text.splitlines()[0] == "Sluicegate 1.2 is ready."
    assert rows == [
        ["address", "http://127.0.0.1:80"],
        ["configuration", "a test"],
        ["data", plan.data_dir],
        ["stop", "Ctrl-C"],
    ]


def test_what_is_missing_is_told_last(plan: Plan) -> None:
    """Who forgot providers or tokens reads it beside the address, not in a client's error."""
    without = replace(plan, missing="no provider\nno token")
    text = announcement(without, host="127.0.0.1", port=80, version="1.2", demo_token=None, log_file=None)
    assert text.endswith("  stop           Ctrl-C\n  attention      no provider\n  attention      no token\n")


def test_open_address_is_pointed_out(plan: Plan) -> None:
    """Who listens on every interface should know, and TLS shows in the address."""
    secure = replace(plan, certificate="/c.pem", key="/k.pem")
    text = announcement(secure, host="0.0.0.0", port=80, version="1.2", demo_token=None, log_file=None)
    assert "https://127.0.0.1:80 on every interface" in text


def test_demo_can_be_tried_by_pasting_one_line(plan: Plan) -> None:
    """The last line is a command that a shell reads as it was meant."""
    text = announcement(plan, host="127.0.0.1", port=80, version="1.2", demo_token="sk-sg-demo-1", log_file=None)
    words = shlex.split(text.splitlines()[-1])
    assert words[:2] == ["curl", "http://127.0.0.1:80/v1/chat/completions"]
    assert "Authorization: Bearer sk-sg-demo-1" in words
    assert json.loads(words[-1])["messages"] == [{"role": "user", "content": "Hello"}]
    assert "  token          sk-sg-demo-1\n" in text


def test_daemon_is_stopped_by_a_command(plan: Plan) -> None:
    """There is no terminal to press Ctrl-C in; the command names the data directory so that a shell understands."""
    odd = replace(plan, data_dir="/the data/it's")
    text = announcement(odd, host="127.0.0.1", port=80, version="1.2", demo_token=None, log_file="/l.log")
    stop = next(line for line in text.splitlines() if line.strip().startswith("stop"))
    assert shlex.split(stop)[1:] == ["sluicegate", "stop", "--data-dir", "/the data/it's"]
    assert "  log            /l.log\n" in text


@pytest.mark.parametrize("text", ["", "plain/path-1.0", "a b", "it's", "$HOME", "ü*"])
def test_quoted_word_is_read_back(text: str) -> None:
    """Any word survives a shell."""
    assert shlex.split(quoted(text)) == [text]


def test_plain_word_stays_plain() -> None:
    """Nobody wants to read quotes around an ordinary path."""
    assert quoted("/var/lib/sluicegate") == "/var/lib/sluicegate"
