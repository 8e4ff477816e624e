"""The worker processes."""

from typing import Any

import msgspec

from sluicegate.control.context import Reached


async def list_workers(context: Reached) -> dict[str, Any]:
    """Number, process id, snapshot version and readiness of each worker whose link stands."""
    return {"data": [msgspec.to_builtins(state) for state in context.workers.listed()]}
