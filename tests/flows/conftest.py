"""Fixtures of the data plane's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.node import Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A worker's insides with three scripted providers."""
    made = Node(tmp_path / "events")
    yield made
    made.close()
