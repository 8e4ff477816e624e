"""The smallest streaming proxy in aiohttp, a program of its own: its arguments are PORT UPSTREAM [AUTHORITY]."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"})
"""Headers that concern one connection only (RFC 9110, 7.6.1)."""
_SESSION = web.AppKey("session", ClientSession)


def build(upstream: str, authority: str | None) -> web.Application:
    """The proxy as an application; `authority` is a PEM file of whom to trust."""

    async def session(application: web.Application) -> AsyncIterator[None]:
        context = ssl.create_default_context(cafile=authority)
        connector = TCPConnector(limit=0, ssl=context)
        timeout = ClientTimeout(total=None)
        async with ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as opened:
            application[_SESSION] = opened
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        body = await request.read()
        target = upstream + request.raw_path
        opened = request.app[_SESSION].request(request.method, target, headers=headers, data=body)
        async with opened as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            await response.write_eof()
            return response

    application = web.Application()
    application.cleanup_ctx.append(session)
    application.router.add_route("*", "/{path:.*}", forward)
    return application


async def serve(port: int, upstream: str, authority: str | None) -> None:
    """Serve on 127.0.0.1 until cancelled."""
    runner = web.AppRunner(build(upstream, authority), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main(arguments: list[str]) -> None:
    """Run as a program until it is interrupted."""
    port, upstream, *authority = arguments
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(port), upstream, authority[0] if authority else None))


if __name__ == "__main__":
    main(sys.argv[1:])
