"""`sluicegate mock` as a program."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
import trustme

from sluicegate.cli.main import main

PROGRAM = (sys.executable, "-c", "import typer; from sluicegate.cli.mock import mock; typer.run(mock)")


@contextmanager
def running(*arguments: str, fds: Sequence[int] = ()) -> Iterator[str]:
    """Start a mock, give the place where it says it listens, and let it end by SIGTERM, which is a success."""
    with subprocess.Popen([*PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, pass_fds=fds) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        try:
            assert line.startswith("mock provider on "), line
            yield line.removeprefix("mock provider on ").strip()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


def port_of(place: str) -> int:
    """The port of a URL."""
    return int(place.rpartition(":")[2])


def ask(connection: HTTPConnection, path: str, body: str) -> tuple[int, str]:
    """Status and body of a POST."""
    connection.request("POST", path, body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_options_are_the_defaults_of_every_answer() -> None:
    """What is given on the command line holds for requests that ask for nothing else."""
    options = ["--tokens", "2", "--prompt-tokens", "5", "--rate", "1000", "--delay", "0.001", "--fault", "status=503"]
    with running("--port", "0", *options, "--fault-first", "1") as place:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", place)
        connection = HTTPConnection("127.0.0.1", port_of(place), timeout=60)
        assert ask(connection, "/v1/chat/completions", "{}")[0] == 503
        status, text = ask(connection, "/v1/chat/completions", "{}")
    usage = json.loads(text)["usage"]
    assert (status, usage["prompt_tokens"], usage["completion_tokens"]) == (200, 5, 2)


def test_tls(tmp_path: Path) -> None:
    """With a certificate it speaks HTTPS."""
    authority, certificate = trustme.CA(), tmp_path / "mock.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with running("--port", "0", "--tls-cert", str(certificate), "--no-usage") as place:
        assert place.startswith("https://")
        connection = HTTPSConnection("127.0.0.1", port_of(place), timeout=60, context=context)
        status, text = ask(connection, "/v1/chat/completions", "{}")
    assert status == 200
    assert "usage" not in text


def test_inherited_socket() -> None:
    """A parent that has bound the port already hands it over."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with running("--fd", str(listener.fileno()), "--require-key", "k", fds=[listener.fileno()]) as place:
            assert port_of(place) == port
            assert ask(HTTPConnection("127.0.0.1", port, timeout=60), "/v1/chat/completions", "{}")[0] == 401


def test_lifeline_ends_it(capfd: pytest.CaptureFixture[str]) -> None:
    """A mock that was given a pipe ends when the other end is closed; a quiet one has nothing to say."""
    reader, writer = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = ["--quiet", "--fd", str(listener.fileno()), "--lifeline", str(reader)]
        with subprocess.Popen([*PROGRAM, *options], pass_fds=[listener.fileno(), reader]) as process:
            os.close(reader)
            connection = HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=60)
            assert ask(connection, "/v1/chat/completions", "{}")[0] == 200
            os.write(writer, b"still here")
            os.close(writer)
            assert process.wait(60) == 0
    assert capfd.readouterr().err == ""


def test_unix_socket(tmp_path: Path) -> None:
    """The place is told by its path."""
    path = tmp_path / "mock.sock"
    with running("--uds", str(path)) as place:
        assert place == f"unix:{path}"
        assert path.is_socket()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--fault", "fire"], "unknown fault"),
        (["--tls-key", "k.pem"], "--tls-key needs --tls-cert"),
        (["--tls-cert", "missing.pem"], "certificate:"),
        (["--fd", "9999"], "--fd 9999"),
    ],
)
def test_wrong_options_are_told(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is refused, as a wrong command line, before anything listens."""
    with pytest.raises(SystemExit) as ended:
        main(["mock", *arguments])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_port_in_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is taken is an error of one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        main(["mock", "--port", str(taken.getsockname()[1])])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("cannot listen: ")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_orphan_ends_at_once(quiet: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whose lifeline is cut already starts, says so unless it is to be quiet, and ends well."""
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(SystemExit) as ended:
        main(["mock", f"--uds={tmp_path / 'mock.sock'}", f"--lifeline={reader}", *quiet])
    os.close(reader)
    assert not ended.value.code
    assert capsys.readouterr().err == ("" if quiet else f"mock provider on unix:{tmp_path / 'mock.sock'}\n")


def test_command_is_found_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """`sluicegate mock --help` lists the options."""
    with pytest.raises(SystemExit) as ended:
        main(["mock", "--help"])
    assert ended.value.code == 0
    assert "--fault-first" in capsys.readouterr().out
