"""The database and the master key, opened together."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

import pytest

from sluicegate.config.problem import ConfigurationError
from sluicegate.control.secrets.master_key import MasterKeyError
from sluicegate.control.storage import Ids, opened, tenancy
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.credentials import set_credential
from sluicegate.domain.tenants import DEFAULT_PROJECT
from sluicegate.store.upgrade import downgrade
from sluicegate.store.version import VERSIONS
from tests.control.conftest import WriteSources

ACTOR = Actor("root", "root", "root")


def test_ids_are_of_their_kind() -> None:
    """Ids of a kind share its prefix, are never the same, and sort by time."""
    ids = Ids(clock=lambda: 1_795_262_400.0)
    first, second = ids.make("tok_"), ids.make("tok_")
    assert (first < second, first[:4], ids.make("prj_")[:4]) == (True, "tok_", "prj_")
    assert repr(ids) == "<Ids ['prj_', 'tok_']>"


def test_storage_is_made_and_opened_again(write: WriteSources, tmp_path: Path) -> None:
    """The first start makes database and master key; the next finds what was written; without the key it is refused."""
    compiled = write("issuing: {prefix: gw_live_}").load(1)

    async def open_twice() -> None:
        async with opened(compiled, now=lambda: 1.0) as storage:
            use = tenancy(storage, now=lambda: 1.0, current=lambda: compiled, announcing=lambda _: nullcontext())
            assert (use.now(), use.recipe().prefix) == (1000, "gw_live_")
            await set_credential(use, ACTOR, DEFAULT_PROJECT, "openai", "sk-0123456789")
        async with opened(compiled, now=lambda: 2.0) as storage, storage.database.reading() as session:
            assert len(await session.credentials.for_project(DEFAULT_PROJECT)) == 1
        (tmp_path / "data" / "master.key").unlink()
        with pytest.raises(MasterKeyError, match="master key is missing"):
            async with opened(compiled, now=lambda: 3.0):
                raise AssertionError("it must not open")

    asyncio.run(open_twice())


def test_an_older_database_is_upgraded_and_that_is_told(write: WriteSources, tmp_path: Path) -> None:
    """A new one is no upgrade, nor is one that is as it must be."""
    compiled = write("").load(1)

    async def told() -> str | None:
        async with opened(compiled, now=lambda: 1.0) as storage:
            return storage.upgraded_from

    assert [asyncio.run(told()), asyncio.run(told())] == [None, None]
    asyncio.run(downgrade(compiled.settings.database_url, tmp_path / "data"))
    assert [asyncio.run(told()), asyncio.run(told())] == [VERSIONS[-2], None]


@pytest.mark.parametrize("setting", ['management_token: ""', "master_key: ''", 'tokens: [{name: a, token: ""}]'])
def test_empty_secrets_are_refused_at_start(setting: str, write: WriteSources) -> None:
    """A secret that is set but empty would let everybody in, or protect nothing: there is no start with it."""
    with pytest.raises(ConfigurationError, match="is empty"):
        write(setting).load(1)
