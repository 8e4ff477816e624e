"""Looking at master keys, rotating them and forgetting old ones."""

import secrets
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path

import pytest

from sluicegate.control.secrets.key_ring import KeyRing, key_id_of
from sluicegate.control.secrets.master_key import MasterKeyError, MasterKeyFile, open_key_ring
from sluicegate.control.secrets.rotation import used_key_ids
from sluicegate.control.secrets.upkeep import KEPT_SECONDS, KeyStatus, Upkeep
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.credentials import row_of, set_credential
from tests.control.actors import ROOT
from tests.control.vault import OWN_PROJECT, Vault

ACTOR = Actor("system", "test", "root")
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
NOW = 1_800_000_000.0

Make = Callable[..., Upkeep]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where the key file is."""
    return tmp_path / "keys"


@pytest.fixture
def make(vault: Vault, data_dir: Path) -> Make:
    """Make the upkeep of the database, at a time."""

    def made(setting: str | None = None, *, now: float = NOW) -> Upkeep:
        return Upkeep(vault.database, setting, data_dir, random=secrets.token_bytes, now=lambda: now)

    return made


def serving(vault: Vault, data_dir: Path, setting: str | None = None) -> KeyRing:
    """The ring of a gateway that starts on these keys."""
    used = vault.run(used_key_ids(vault.database))
    return open_key_ring(setting, data_dir, has_ciphertext=bool(used), used=used, random=secrets.token_bytes, now=NOW)


def put(vault: Vault, keys: KeyRing, provider: str = "openai") -> None:
    """Seal a secret as that gateway does."""
    vault.run(set_credential(changed(vault.tenancy, key_ring=keys), ROOT, OWN_PROJECT, provider, "sk-secret-1"))


def read(vault: Vault, keys: KeyRing) -> list[bytes]:
    """Open all secrets as that gateway does."""

    return [keys.open(row.ciphertext, row_of(row)) for row in vault.credentials()]


def test_a_rotation_while_a_gateway_serves(vault: Vault, make: Make, data_dir: Path) -> None:
    """It opens what was sealed anew, and seals with the new key; a day later the old one can be forgotten."""
    gateway = serving(vault, data_dir)
    put(vault, gateway)
    old = gateway.key_id
    done = vault.run(make().rotate(ACTOR))
    assert (done.resealed, done.unreadable) == (1, ())
    assert read(vault, gateway) == [b"sk-secret-1"]
    put(vault, gateway, "mistral")
    assert vault.run(used_key_ids(vault.database)) == {done.key_id} == {gateway.key_id}
    with pytest.raises(MasterKeyError, match="--now"):
        vault.run(make(now=NOW + KEPT_SECONDS - 1).forget())
    assert vault.run(make(now=NOW + KEPT_SECONDS).forget()) == (old,)
    assert read(vault, gateway) == read(vault, serving(vault, data_dir)) == [b"sk-secret-1"] * 2
    assert serving(vault, data_dir).key_ids == (done.key_id,)


def test_an_interrupted_rotation_takes_no_further_key(vault: Vault, make: Make, data_dir: Path) -> None:
    """It is ended with the key that the first attempt has made."""
    put(vault, serving(vault, data_dir))
    (new, _) = MasterKeyFile(data_dir, random=secrets.token_bytes).add(NOW)
    assert vault.run(make().rotate(ACTOR)).key_id == new.id
    assert len(serving(vault, data_dir).key_ids) == 2
    assert vault.run(make().rotate(ACTOR)).key_id != new.id


def test_status_tells_each_key(vault: Vault, make: Make, data_dir: Path) -> None:
    """Which one seals, which are in use, since when, and which is missing; nothing where there is nothing."""
    assert vault.run(make().status()) == ()
    gateway = serving(vault, data_dir)
    put(vault, gateway)
    old = gateway.key_id
    assert vault.run(make().status()) == (KeyStatus(old, NOW, is_used=True, is_first=True),)
    (new, _) = MasterKeyFile(data_dir, random=secrets.token_bytes).add(NOW + 1)
    assert vault.run(make().status()) == (
        KeyStatus(new.id, NOW + 1, is_used=False, is_first=True),
        KeyStatus(old, NOW, is_used=True),
    )
    assert vault.run(make(KEY.hex()).status()) == (
        KeyStatus(key_id_of(KEY), None, is_used=False, is_first=True),
        KeyStatus(old, None, is_used=True, is_here=False),
    )
    assert repr(make()) == f"<Upkeep {data_dir}/master.key>"
    assert repr(make(KEY.hex())) == "<Upkeep the setting master_key>"


def test_keys_in_the_setting_are_rotated_by_the_operator(vault: Vault, make: Make, data_dir: Path) -> None:
    """They put the new one first; without one there is nothing to do, and that is told."""
    put(vault, serving(vault, data_dir, KEY.hex()))
    with pytest.raises(MasterKeyError, match="put a new key before"):
        vault.run(make(KEY.hex()).rotate(ACTOR))
    both = f"{OTHER.hex()},{KEY.hex()}"
    assert vault.run(make(both).rotate(ACTOR)).resealed == 1
    assert vault.run(make(both).rotate(ACTOR)).resealed == 0
    assert read(vault, serving(vault, data_dir, OTHER.hex())) == [b"sk-secret-1"]
    with pytest.raises(MasterKeyError, match="take those away"):
        vault.run(make(both).forget())
    assert not data_dir.exists()


def test_a_rotation_without_the_key_is_refused(vault: Vault, make: Make, data_dir: Path) -> None:
    """No new key is made while the old one is missing."""
    put(vault, serving(vault, data_dir))
    (data_dir / "master.key").unlink()
    with pytest.raises(MasterKeyError, match="put back"):
        vault.run(make().rotate(ACTOR))
    assert [*data_dir.iterdir()] == []


def test_a_key_in_use_is_never_forgotten(vault: Vault, make: Make, data_dir: Path) -> None:
    """However urgent it is; keys that are not used are."""
    put(vault, serving(vault, data_dir))
    file = MasterKeyFile(data_dir, random=secrets.token_bytes)
    file.add(NOW)
    newest, unused, first = file.add(NOW)
    assert vault.run(make().forget(is_urgent=True)) == (unused.id,)
    assert serving(vault, data_dir).key_ids == (newest.id, first.id)


def test_where_there_is_no_key_none_is_forgotten(vault: Vault, make: Make, data_dir: Path) -> None:
    """Nor where there is one alone, however new."""
    assert vault.run(make().forget()) == ()
    serving(vault, data_dir)
    assert vault.run(make().forget()) == ()


def test_a_key_of_unknown_age_counts_as_new(vault: Vault, make: Make, data_dir: Path) -> None:
    """Whoever wrote the file by hand says themselves that it may go."""
    data_dir.mkdir()
    (data_dir / "master.key").touch(0o600)
    (data_dir / "master.key").write_text(f"{KEY.hex()}\n{OTHER.hex()}\n")
    with pytest.raises(MasterKeyError, match="not known to be a day old"):
        vault.run(make(now=NOW * 2).forget())
    assert vault.run(make().forget(is_urgent=True)) == (key_id_of(OTHER),)
