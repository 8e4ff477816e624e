"""Counting everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import census
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import StoreUnavailableError
from tests.control.actors import OWN, VIEWER
from tests.control.api import Api


class Gone(Database):
    """A database that does not answer."""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """Find that out."""
        yield await self._session()

    async def _session(self) -> Session:
        raise StoreUnavailableError("it is gone")


def test_everything_is_counted(api: Api) -> None:
    """All records of all kinds are counted, whoever they belong to."""
    api.world()
    counted = api.run(census.take(api.tenancy, VIEWER))
    assert (counted.organizations, counted.projects, counted.users) == (3, 3, 2)
    assert (counted.tokens, counted.admin_keys, counted.accounts) == (2, 5, 0)


def test_counts_are_for_managers_of_all(api: Api) -> None:
    """Who is bounded to one organisation learns nothing about how many others there are."""
    with pytest.raises(ProblemError) as caught:
        api.run(census.take(api.tenancy, OWN))
    assert caught.value.status == 403


def test_database_tells_whether_it_is_there(api: Api) -> None:
    """A database that answers is reachable; one that does not is not, and that is no error."""
    assert api.run(census.is_reachable(api.tenancy))
    assert not api.run(census.is_reachable(replace(api.tenancy, database=Gone.__new__(Gone))))
