"""When managers' keys were last used."""

import pytest

from sluicegate.control.tenants.key_uses import KeyUses
from sluicegate.domain.tenants import AdminKey
from sluicegate.store.errors import StoreUnavailableError
from tests.control.api import Api


def stored(api: Api, key_id: str) -> AdminKey:
    """The key as it is in the database."""

    async def read() -> AdminKey:
        async with api.database.reading() as session:
            key = await session.admin_keys.get(key_id)
        assert key is not None
        return key

    return api.run(read())


def test_last_use_is_written_without_a_new_version(api: Api) -> None:
    """The latest of several uses is written, once; the record's version stays what it was."""
    api.world()
    uses = KeyUses()
    for at in (5, 9, 7):
        uses.note("adm_own", at)
    assert repr(uses) == "<KeyUses waiting=1>"
    api.run(uses.store(api.database))
    assert repr(uses) == "<KeyUses waiting=0>"
    assert (stored(api, "adm_own").last_used_at, stored(api, "adm_own").version) == (9, 1)
    assert stored(api, "adm_foreign").last_used_at is None


def test_nothing_waiting_needs_no_database(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without uses nothing is written; where it cannot be written, uses wait for the next time, the latest of each."""
    api.world()
    uses = KeyUses()

    def away() -> None:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(type(api.database), "writing", lambda self: away())
        api.run(uses.store(api.database))
        uses.note("adm_own", 9)
        with pytest.raises(StoreUnavailableError):
            api.run(uses.store(api.database))
    uses.note("adm_own", 8)
    api.run(uses.store(api.database))
    assert stored(api, "adm_own").last_used_at == 9
