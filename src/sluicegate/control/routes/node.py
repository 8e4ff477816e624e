"""What this is."""

from typing import Any

from fastapi import Request

from sluicegate import __version__


async def show_node(request: Request) -> dict[str, Any]:
    """Name, version and where to find what."""
    return {
        "name": "sluicegate",
        "version": __version__,
        "endpoints": {
            "proxy": ["/v1/*", "/<provider>/*"],
            "health": ["/livez", "/readyz", "/health", "/healthz"],
            "management": request.app.state.paths,
        },
    }
