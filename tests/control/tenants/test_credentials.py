"""Projects' own keys for providers: set, listed, deleted; never shown; opened for workers, or refused."""

import secrets
from dataclasses import replace as changed
from http import HTTPStatus
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from sluicegate.control.problems import ProblemError
from sluicegate.control.secrets.key_ring import KeyRing, SealError
from sluicegate.control.tenants.credentials import (
    credentials_of,
    delete_credential,
    described,
    list_credentials,
    row_of,
    set_credential,
)
from sluicegate.domain.owner_marks import mark_of
from sluicegate.domain.tenants import ProviderCredential
from tests.control.actors import OWN, ROOT
from tests.control.vault import FOREIGN_PROJECT, KEY, OWN_DIGEST, OWN_PROJECT, Vault

SECRET = "sk-proj-hunter2-0123456789abcdef"


def put(vault: Vault, project: str, provider: str = "openai", secret: str = SECRET, **more: Any) -> ProviderCredential:
    """Set a key."""
    made: ProviderCredential = vault.run(set_credential(vault.tenancy, ROOT, project, provider, secret, **more))
    return made


def for_workers(vault: Vault, log: FilteringBoundLogger, *projects: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """What workers are given of these projects."""

    async def read() -> dict[str, tuple[tuple[str, str], ...]]:
        async with vault.tenancy.database.reading() as session:
            return await credentials_of(session, vault.tenancy.key_ring, projects, log=log)

    found: dict[str, tuple[tuple[str, str], ...]] = vault.run(read())
    return found


def stored(vault: Vault, project: str) -> list[ProviderCredential]:
    """The rows of a project."""
    return [credential for credential in vault.credentials() if credential.project_id == project]


def test_a_key_reaches_the_workers(vault: Vault, log: FilteringBoundLogger) -> None:
    """Set for one project and one provider, it is theirs; other projects have none."""
    put(vault, OWN_PROJECT)
    put(vault, OWN_PROJECT, "anthropic", "sk-ant-other-key")
    assert for_workers(vault, log, OWN_PROJECT, FOREIGN_PROJECT) == {
        OWN_PROJECT: (("anthropic", "sk-ant-other-key"), ("openai", SECRET))
    }
    assert for_workers(vault, log) == {}


def test_only_ciphertext_is_stored_and_nothing_shown(vault: Vault) -> None:
    """The row has the sealed key and its last four characters; what is shown of it and the audit log have no more."""
    put(vault, OWN_PROJECT)
    (row,) = stored(vault, OWN_PROJECT)
    assert SECRET.encode() not in row.ciphertext
    assert row.key_id == vault.tenancy.key_ring.key_id
    assert set(described(row)) == {"credential_id", "project_id", "provider", "last_four", "created_at", "updated_at"}
    assert (row.last_four, described(row)["last_four"]) == ("cdef", "cdef")
    assert described(row)["created_at"].endswith("Z")
    newest = vault.audit()[-1]
    assert (newest.action, newest.before, newest.after) == ("credential.set", None, described(row))
    assert "hunter2" not in f"{row} {described(row)} {vault.audit()}"


def test_of_a_short_key_nothing_is_shown(vault: Vault) -> None:
    """Its last four characters would be too much of it."""
    assert put(vault, OWN_PROJECT, secret="sk-12345").last_four == ""


def test_a_later_key_takes_the_place_of_an_earlier_one(vault: Vault, log: FilteringBoundLogger) -> None:
    """The row stays, its version rises; the audit log tells both without a key."""
    before = put(vault, OWN_PROJECT)
    vault.milliseconds += 60_000
    after = put(vault, OWN_PROJECT, secret="sk-proj-other-0123456789wxyz")
    assert (after.id, after.version, after.created_at) == (before.id, before.version + 1, before.created_at)
    assert after.updated_at == before.updated_at + 60_000
    assert for_workers(vault, log, OWN_PROJECT) == {OWN_PROJECT: (("openai", "sk-proj-other-0123456789wxyz"),)}
    newest = vault.audit()[-1]
    assert (newest.before, newest.after) == (described(before), described(after))
    assert described(after)["last_four"] == "wxyz"


def test_a_deleted_key_is_gone(vault: Vault, log: FilteringBoundLogger) -> None:
    """Workers get none any more; deleting it again is 404."""
    put(vault, OWN_PROJECT)
    vault.run(delete_credential(vault.tenancy, ROOT, OWN_PROJECT, "openai"))
    assert for_workers(vault, log, OWN_PROJECT) == {}
    assert vault.audit()[-1].action == "credential.delete"
    with pytest.raises(ProblemError) as caught:
        vault.run(delete_credential(vault.tenancy, ROOT, OWN_PROJECT, "openai"))
    assert caught.value.status == 404


def test_workers_forget_the_tokens_of_the_project(vault: Vault) -> None:
    """Set or deleted, the next request of each of its tokens goes by what holds then, also of those that files declare;
    other tokens stay known."""
    put(vault, OWN_PROJECT)
    vault.run(delete_credential(vault.tenancy, ROOT, OWN_PROJECT, "openai"))
    assert [set(digests or ()) for digests in vault.announced] == [{OWN_DIGEST, mark_of(OWN_PROJECT)}] * 2


def test_keys_are_listed_by_provider(vault: Vault) -> None:
    """Of one project."""
    for provider in ("openai", "anthropic"):
        put(vault, OWN_PROJECT, provider)
    found = vault.run(list_credentials(vault.tenancy, ROOT, OWN_PROJECT))
    assert [credential.provider for credential in found] == ["anthropic", "openai"]
    assert vault.run(list_credentials(vault.tenancy, ROOT, FOREIGN_PROJECT)) == []


def test_a_foreign_project_does_not_exist(vault: Vault) -> None:
    """Neither to look, nor to set, nor to delete; nor does one that nobody has."""
    put(vault, FOREIGN_PROJECT)
    for project in (FOREIGN_PROJECT, "prj_nobody"):
        for work in (
            list_credentials(vault.tenancy, OWN, project),
            set_credential(vault.tenancy, OWN, project, "openai", SECRET),
            delete_credential(vault.tenancy, OWN, project, "openai"),
        ):
            with pytest.raises(ProblemError) as caught:
                vault.run(work)
            assert caught.value.status == 404
    assert len(stored(vault, FOREIGN_PROJECT)) == 1


@pytest.mark.parametrize("provider", ["", "OpenAI", "a/b", "../x", "x" * 65, "-a"])
def test_what_is_no_providers_name_is_refused(vault: Vault, provider: str) -> None:
    """A name is as the configuration has it."""
    with pytest.raises(ProblemError) as caught:
        put(vault, OWN_PROJECT, provider)
    assert caught.value.status == 422


@pytest.mark.parametrize(
    "secret", ["", "       ", "sk-1234", "sk-hunter2 x", "sk-hunter2\r\nx-a: b", "sk-hünter2", "x" * 4097]
)
def test_what_is_no_key_is_refused(vault: Vault, secret: str) -> None:
    """Empty, short, or with a character that cannot stand in a header; nothing of it is repeated."""
    with pytest.raises(ProblemError) as caught:
        put(vault, OWN_PROJECT, secret=secret)
    assert caught.value.status == 422
    assert "hunter2" not in f"{caught.value.detail} {caught.value.errors}"


def test_a_change_for_another_version_is_refused(vault: Vault) -> None:
    """Whoever says which version they mean is told when it is another."""

    def check(version: int) -> None:
        if version != 1:
            raise ProblemError(HTTPStatus.PRECONDITION_FAILED, "another")

    put(vault, OWN_PROJECT, check=check)
    put(vault, OWN_PROJECT, check=check)
    for work in (
        set_credential(vault.tenancy, ROOT, OWN_PROJECT, "openai", SECRET, check=check),
        delete_credential(vault.tenancy, ROOT, OWN_PROJECT, "openai", check=check),
    ):
        with pytest.raises(ProblemError, match="another"):
            vault.run(work)


def test_a_key_that_cannot_be_opened_is_never_replaced_by_another(
    vault: Vault, log: FilteringBoundLogger, captured: LogCapture
) -> None:
    """Workers are told that there is one and that it cannot be used; the log says why, without the key."""
    put(vault, OWN_PROJECT)
    (row,) = stored(vault, OWN_PROJECT)
    flipped = bytes([*row.ciphertext[:-1], row.ciphertext[-1] ^ 1])
    vault.overwrite(replace(row, ciphertext=flipped))
    assert for_workers(vault, log, OWN_PROJECT) == {OWN_PROJECT: (("openai", ""),)}
    assert captured.entries[-1]["log_level"] == "error"
    assert row_of(row) in captured.entries[-1]["reason"]


def test_a_key_swapped_with_another_row_is_detected(vault: Vault, log: FilteringBoundLogger) -> None:
    """Whoever can write the database cannot use another project's key, nor send one to another provider."""
    put(vault, OWN_PROJECT)
    put(vault, FOREIGN_PROJECT, secret="sk-proj-foreign-0123456789abcdef")
    (mine,), (theirs,) = stored(vault, OWN_PROJECT), stored(vault, FOREIGN_PROJECT)
    vault.overwrite(replace(mine, ciphertext=theirs.ciphertext))
    assert for_workers(vault, log, OWN_PROJECT) == {OWN_PROJECT: (("openai", ""),)}
    put(vault, OWN_PROJECT)
    (mine,) = stored(vault, OWN_PROJECT)
    vault.overwrite(replace(mine, provider="attacker"))
    assert for_workers(vault, log, OWN_PROJECT) == {OWN_PROJECT: (("attacker", ""),)}


def test_without_a_master_key_nothing_is_set(vault: Vault) -> None:
    """The caller is told that it is not their fault, and nothing is half done."""

    def gone() -> None:
        raise SealError("the master key is gone")

    tenancy = changed(vault.tenancy, key_ring=KeyRing((KEY,), random=secrets.token_bytes, refresh=gone))
    with pytest.raises(ProblemError, match="the master key is gone") as caught:
        vault.run(set_credential(tenancy, ROOT, OWN_PROJECT, "openai", SECRET))
    assert caught.value.status == 503
    assert vault.credentials() == []
