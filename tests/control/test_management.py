"""The management API, put together."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from sluicegate.control.context import Context
from sluicegate.control.management import management


def test_what_is_put_together_serves(context: Context, tmp_path: Path) -> None:
    """It tells that it has begun, and refuses strangers."""

    async def scenario() -> bytes:
        started = asyncio.Event()
        server = management(
            configuration=context.configuration,
            workers=context.workers,
            consumers=context.consumers,
            source=context.source,
            tenancy=context.tenancy,
            declared=context.declared,
            key_uses=context.key_uses,
            ledger=context.ledger,
            offers=context.offers,
            logs=context.logs,
            metrics=context.metrics,
            started=started.set,
        )
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            await asyncio.wait_for(started.wait(), 60)
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(b"GET /organizations HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            server.end()
        return answer

    head, _, body = asyncio.run(scenario()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401 ")
    assert msgspec.json.decode(body)["title"] == "Unauthorized"


def test_it_loads_no_library_that_few_need() -> None:
    """What asks a Redis server takes longer to load than all of it, and what knows prices as long: both come later."""
    program = (
        "import sys, sluicegate.control.service, sluicegate.control.management;"
        "print(*sorted({'redis', 'genai_prices', 'toktok', 'asyncpg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == ""


def test_workers_do_not_wait_for_it() -> None:
    """What serves workers is loaded without the web framework, which takes as long to load as all the rest."""
    program = (
        "import sys, sluicegate.control.service; print(*sorted({'fastapi', 'starlette', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == ""
