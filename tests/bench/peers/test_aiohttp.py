"""The proxy in aiohttp is started with our own interpreter."""

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from sluicegate.bench.certificates import Certificates
from sluicegate.bench.peers.aiohttp import Aiohttp
from sluicegate.bench.peers.base import PeerMissingError, Site


def test_command(tmp_path: Path) -> None:
    """It is told its port, its provider, and whom to trust."""
    command = (sys.executable, "-m", "sluicegate.bench.peers.aiohttp_proxy", "81")
    assert Aiohttp().launch(Site(81, tmp_path, 82)).command == (*command, "http://127.0.0.1:82")
    made = Certificates(tmp_path / "ca", tmp_path / "chain", tmp_path / "key")
    site = Site(81, tmp_path, 82, made)
    assert Aiohttp().launch(site).command == (*command, "https://127.0.0.1:82", str(tmp_path / "ca"))


def test_version() -> None:
    """The version is the library's; without the library there is nothing to compare."""
    assert asyncio.run(Aiohttp().version()) == version("aiohttp")
    with pytest.raises(PeerMissingError, match="pip install aiohttp"):
        asyncio.run(Aiohttp("no-such-distribution").version())
