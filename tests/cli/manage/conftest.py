"""A scripted gateway for every test that wants one."""

from collections.abc import Iterator

import pytest

from tests.cli.manage.gateway import ScriptedApi


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """Start one."""
    api = ScriptedApi()
    yield api
    api.close()
