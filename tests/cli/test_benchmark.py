"""`sluicegate benchmark` against a mock that runs in a thread of its own."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import trustme

from sluicegate.bench.mock import MockServer, MockSettings, parse_fault, start_mock
from sluicegate.cli.main import main


@contextmanager
def serving(settings: MockSettings, context: ssl.SSLContext | None = None) -> Iterator[MockServer]:
    """Run a mock beside the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        mock = asyncio.run_coroutine_threadsafe(start_mock(settings, ssl_context=context), loop).result(20)
        yield mock
        asyncio.run_coroutine_threadsafe(mock.close(), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


def run(*arguments: str) -> int:
    """Run the command; its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", *arguments])
    code = ended.value.code
    return code if isinstance(code, int) else 0


def test_closed_loop_with_a_direct_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every request is sent and answered; text, JSON and picture tell the same, with what the gateway adds."""
    with (
        serving(MockSettings(require_key="k", delay=0.002)) as gateway,
        serving(MockSettings(require_key="d")) as direct,
    ):
        status = run(
            f"--base-url=http://127.0.0.1:{gateway.port}",
            f"--direct-url=http://127.0.0.1:{direct.port}/v1",
            "--token=k",
            "--direct-token=d",
            "--requests=50",
            "--concurrency=4",
            f"--json={tmp_path / 'a.json'}",
            f"--picture={tmp_path / 'a.svg'}",
        )
        assert (gateway.requests.paths, direct.requests.paths) == (
            {"/v1/chat/completions": 50},
            {"/v1/chat/completions": 50},
        )
        assert gateway.requests.connections == 4
    assert status == 0
    shown = capsys.readouterr()
    assert "POST /v1/chat/completions, closed loop, 4 connections, 50 requests\n" in shown.out
    assert "added latency" in shown.out
    assert shown.err == ""
    told = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert (told["gateway"]["completed"], told["direct"]["completed"]) == (50, 50)
    assert told["added_latency"]["p50"] > 0
    drawing = ET.fromstring((tmp_path / "a.svg").read_text("utf-8"))
    assert len(drawing.findall("{http://www.w3.org/2000/svg}polyline")) == 2


def test_streams_at_a_fixed_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """Streams are told by their events, and the rate holds for the whole duration."""
    with serving(MockSettings(tokens=2)) as gateway:
        url = f"http://127.0.0.1:{gateway.port}"
        assert run(f"--base-url={url}", "--stream", "--rate=200", "--duration=0.1", "--model=m") == 0
        sent = gateway.requests.total
    shown = capsys.readouterr().out
    assert "streamed, open loop, 200 requests/s, 64 connections, 0.1 s\n" in shown
    assert sent == 20
    # Role, two words, finish reason and the end: five events each.
    assert f"{5 * sent} events" in shown
    assert "first event" in shown


def test_tls(tmp_path: Path) -> None:
    """A gateway behind a certificate is verified by the authority that was named."""
    authority, pem = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(MockSettings(), context) as gateway:
        url = f"https://127.0.0.1:{gateway.port}"
        assert run(f"--base-url={url}", "--requests=3", f"--ca-file={pem}") == 0
        assert gateway.requests.total == 3


def test_no_good_answer_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When all requests fail the errors are shown, there is nothing to draw, and the exit status says so."""
    with serving(MockSettings(fault=parse_fault("status=500"))) as gateway:
        picture = tmp_path / "a.svg"
        assert run(f"--base-url=http://127.0.0.1:{gateway.port}", "--requests=5", f"--picture={picture}") == 1
    assert "5 errors; 5 × status 500" in capsys.readouterr().out
    assert not picture.exists()


def test_nobody_to_connect_to(capsys: pytest.CaptureFixture[str]) -> None:
    """One line says where nobody listens."""
    with serving(MockSettings()) as gateway:
        port = gateway.port
    assert run(f"--base-url=http://127.0.0.1:{port}") == 1
    assert capsys.readouterr().err.startswith(f"http://127.0.0.1:{port}: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--base-url=gateway"],
        ["--base-url=http://127.0.0.1:1", "--rate=-1"],
        ["--base-url=https://127.0.0.1:1", "--ca-file=missing.pem"],
    ],
)
def test_wrong_options_are_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be measured is refused as a wrong command line."""
    assert run(*arguments) == 2
    assert "Error" in capsys.readouterr().err
