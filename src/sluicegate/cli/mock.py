"""`sluicegate mock`: a provider to try things against, without a key."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import asyncio
    import socket
    import ssl

    from sluicegate.bench.mock import MockSettings


def mock(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8081,
    uds: Annotated[Path | None, typer.Option(help="Unix socket to listen on instead.")] = None,
    fd: Annotated[int | None, typer.Option(help="Inherited listening socket to serve instead.", min=0)] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate with its chain, PEM; speaks HTTPS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM; else in the certificate's file.")] = None,
    lifeline: Annotated[
        int | None, typer.Option(help="Exit when this inherited pipe's other end is closed.", min=0)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print the address.")] = False,
    delay: Annotated[float, typer.Option(help="Seconds to the first token.", min=0)] = 0.0,
    rate: Annotated[float, typer.Option(help="Tokens per second; 0 for as fast as it goes.", min=0)] = 0.0,
    tokens: Annotated[int, typer.Option(help="Length of an answer in tokens.", min=0)] = 16,
    usage: Annotated[bool, typer.Option(help="Whether answers report usage.")] = True,
    prompt_tokens: Annotated[int, typer.Option(help="Input tokens to report.", min=0)] = 9,
    fault: Annotated[
        str,
        typer.Option(
            help="What goes wrong with each request: status=N, reset-before, reset-after=N, stall-before, "
            "stall-after=N, truncate-after=N, malformed-head, malformed-after=N, error-after=N, none."
        ),
    ] = "none",
    fault_first: Annotated[int, typer.Option(help="Only the first so many requests fail; 0: all.", min=0)] = 0,
    require_key: Annotated[str | None, typer.Option(help="Answer 401 to any other credential.")] = None,
) -> None:
    """Start a mock provider: OpenAI, Anthropic and Gemini APIs, with answers that cost nothing.

    A request can ask for its own behaviour by headers: x-mock-fault, x-mock-delay, x-mock-rate, x-mock-tokens,
    x-mock-usage (on or off), x-mock-prompt-tokens. GET /__stats tells what was served.
    """
    import uvloop

    from sluicegate.bench.mock import MockSettings, SettingError, parse_fault

    try:
        settings = MockSettings(
            delay=delay,
            rate=rate,
            tokens=tokens,
            usage=usage,
            prompt_tokens=prompt_tokens,
            fault=parse_fault(fault),
            fault_first=fault_first,
            require_key=require_key,
        )
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error
    context = _tls(tls_cert, tls_key)
    listener = _inherited(fd) if fd is not None else None
    uvloop.run(
        _serve(
            settings, host=host, port=port, uds=uds, context=context, listener=listener, lifeline=lifeline, quiet=quiet
        )
    )


async def _serve(
    settings: "MockSettings",
    *,
    host: str,
    port: int,
    uds: Path | None,
    context: "ssl.SSLContext | None",
    listener: "socket.socket | None",
    lifeline: int | None,
    quiet: bool,
) -> None:
    import asyncio
    import signal

    from sluicegate.bench.mock import start_mock

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if lifeline is not None:
        _watch(lifeline, stop)
    try:
        server = await start_mock(settings, host, port, context, uds, sock=listener)
    except OSError as error:
        typer.echo(f"cannot listen: {error}", err=True)
        raise typer.Exit(1) from error
    async with server:
        scheme = "https" if context else "http"
        where = f"unix:{uds}" if uds and listener is None else f"{scheme}://{host}:{server.port}"
        if not quiet:
            typer.echo(f"mock provider on {where}", err=True)
        await stop.wait()


def _watch(lifeline: int, stop: "asyncio.Event") -> None:
    """Stop at the end of file, which the kernel reports even if the other end's owner was killed."""
    import asyncio
    import os

    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(lifeline, 4096):
            loop.remove_reader(lifeline)
            stop.set()

    os.set_blocking(lifeline, False)
    loop.add_reader(lifeline, read)


def _tls(certificate: Path | None, key: Path | None) -> "ssl.SSLContext | None":
    if certificate is None:
        if key is not None:
            raise typer.BadParameter("--tls-key needs --tls-cert")
        return None
    import ssl

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise typer.BadParameter(f"certificate: {error}") from error
    return context


def _inherited(fd: int) -> "socket.socket":
    import socket

    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        raise typer.BadParameter(f"--fd {fd}: {error}") from error
