"""`sluicegate health`: exit status 0 when a gateway is ready, else 1 and why."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

import pytest
import trustme

from sluicegate.cli.main import COMMANDS, main

READY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
DRAINING = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\ndraining\n"

Answer = Callable[..., tuple[str, list[bytes]]]
PATIENT = ("--timeout", "60")
"""Where somebody answers: for as long as that takes on a machine with much to do."""


@pytest.fixture
def answer() -> Iterator[Answer]:
    """Answer one request with given bytes; the address without scheme, and what was asked."""
    with ExitStack() as stack:

        def serve(answer: bytes, context: ssl.SSLContext | None = None) -> tuple[str, list[bytes]]:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            asked: list[bytes] = []

            def once() -> None:
                accepted, _ = listener.accept()
                # The client hangs up in the middle of what it does not understand.
                with accepted, suppress(OSError):
                    client = context.wrap_socket(accepted, server_side=True) if context else accepted
                    with client:
                        asked.append(client.recv(4096))
                        client.sendall(answer)

            thread = threading.Thread(target=once)
            thread.start()
            stack.callback(thread.join, 10)
            return f"127.0.0.1:{listener.getsockname()[1]}", asked

        yield serve


def health(*arguments: str) -> int:
    """Exit status of the command."""
    with pytest.raises(SystemExit) as ended:
        main(["health", *arguments], commands=COMMANDS)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_ready(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    """200 from /readyz is ready, whatever path the address has."""
    address, asked = answer(READY)
    assert health("--url", f"http://user@{address}/v1", *PATIENT) == 0
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")
    assert capsys.readouterr().out == "ready\n"


def test_the_gateway_of_the_data_directory_is_asked(
    answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever its port: it has put its address on record."""
    address, _ = answer(READY)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "address").write_text(f"http://{address}\n")
    assert health("--data-dir", str(tmp_path), *PATIENT) == 0
    monkeypatch.setenv("SLUICEGATE_DATA_DIR", str(tmp_path))
    assert health("--timeout", "0.5") == 1
    assert f"not ready: {address}" in capsys.readouterr().err


def test_without_a_record_it_is_the_usual_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no gateway has run here."""

    def nowhere(host: str, *, timeout: float) -> NoReturn:
        raise ConnectionRefusedError(f"asked {host} for {timeout} s")

    # Somebody may listen on the real one.
    monkeypatch.setattr("http.client.HTTPConnection", nowhere)
    assert health("--data-dir", str(tmp_path)) == 1
    assert "asked 127.0.0.1:8080 for 5.0 s" in capsys.readouterr().err


def test_draining(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    """Any other status is not ready; status and body are told."""
    address, _ = answer(DRAINING)
    assert health("--url", f"http://{address}", *PATIENT) == 1
    assert capsys.readouterr().err == "not ready: 503 draining\n"


def test_certificate_need_not_fit(answer: Answer) -> None:
    """A gateway with a certificate for another name is asked all the same."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("gateway.example").configure_cert(context)
    address, _ = answer(READY, context)
    assert health("--url", f"https://{address}", *PATIENT) == 0


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """A refused connection is not ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert health("--url", f"http://127.0.0.1:{port}") == 1
    assert capsys.readouterr().err.endswith("refused; another gateway is named with --url or --data-dir\n")


def test_answer_that_is_not_http(answer: Answer, capsys: pytest.CaptureFixture[str]) -> None:
    """Something else on the port is not ready."""
    address, _ = answer(b"220 mail.example ESMTP\r\n")
    assert health("--url", f"http://{address}", *PATIENT) == 1
    assert "not ready: " in capsys.readouterr().err


def test_silence_ends_with_the_timeout() -> None:
    """A gateway that accepts and does not answer is not ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert health("--url", f"http://127.0.0.1:{listener.getsockname()[1]}", "--timeout", "0.05") == 1


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://127.0.0.1:http"])
def test_address_must_be_one(url: str) -> None:
    """What is no address of a web server is a usage error."""
    assert health("--url", url) == 2
