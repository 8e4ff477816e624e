"""Virtual environments for proxies that bring many packages."""

import asyncio
import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from sluicegate.bench.peers.base import PeerMissingError
from sluicegate.bench.peers.environments import installed


def wheel(directory: Path) -> None:
    """Write a package `tiny` with a program `tiny`, as small as a wheel can be."""
    info = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "def main():\n    print('tiny')\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ntiny = tiny:main\n",
    }
    digests = {name: hashlib.sha256(text.encode()).digest() for name, text in files.items()}
    rows = [f"{name},sha256={base64.urlsafe_b64encode(one).decode().rstrip('=')}," for name, one in digests.items()]
    with zipfile.ZipFile(directory / "tiny-1.0-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")


def test_environment_is_built_once(tmp_path: Path) -> None:
    """The first time it is built, also within an event loop; the second time it is there, and nothing is asked for."""
    wheel(tmp_path)
    offline = ("--no-index", "--find-links", str(tmp_path))

    async def build() -> Path:
        return installed(tmp_path / "environments", "tiny==1.0", "tiny", pip=offline)

    program = asyncio.run(build())
    assert program == tmp_path / "environments" / "tiny==1.0" / "bin" / "tiny"
    (tmp_path / "tiny-1.0-py3-none-any.whl").unlink()
    assert installed(tmp_path / "environments", "tiny==1.0", "tiny", pip=offline) == program


def test_failed_installation_leaves_nothing(tmp_path: Path) -> None:
    """The error repeats what was said, and the next attempt begins anew."""
    with pytest.raises(PeerMissingError, match="No matching distribution"):
        installed(tmp_path, "tiny[all]==1.0", "tiny", pip=("--no-index",))
    assert not list(tmp_path.iterdir())


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    """Where no environment can be made, that is the error."""
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(PeerMissingError, match="could not be installed"):
        installed(tmp_path / "file", "tiny==1.0", "tiny")


def test_no_place_at_all() -> None:
    """Without a directory for environments the proxy is missing."""
    with pytest.raises(PeerMissingError, match="no directory"):
        installed(None, "tiny==1.0", "tiny")
