"""A proxy knows where its provider is, and says what it is."""

import asyncio
import sys
from pathlib import Path

from sluicegate.bench.certificates import Certificates
from sluicegate.bench.peers.base import Site, output_of


def test_address_of_the_provider(tmp_path: Path) -> None:
    """With certificates the provider speaks TLS."""
    assert Site(1, tmp_path, 2).upstream == "http://127.0.0.1:2"
    assert Site(1, tmp_path, 2, Certificates(tmp_path, tmp_path, tmp_path)).upstream == "https://127.0.0.1:2"


def test_output_of_a_program() -> None:
    """Both outputs are read, without the space around them."""
    code = "import sys; sys.stderr.write(' version '); sys.stderr.flush(); print(1)"
    assert asyncio.run(output_of(sys.executable, "-c", code)) == "version 1"
