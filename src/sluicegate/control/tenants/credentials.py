"""Projects' own keys for providers: written, never read back; and opened for the workers that send them."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from sluicegate.control.problems import ProblemError
from sluicegate.control.secrets.key_ring import KeyRing, SealError
from sluicegate.control.tenants.actor import Actor, missing
from sluicegate.control.tenants.affected import digests_of
from sluicegate.control.tenants.tenancy import Tenancy, Transaction, conflicting
from sluicegate.domain.tenants import Project, ProviderCredential
from sluicegate.store.database import Session

SHORTEST, LONGEST = 8, 4096
"""Characters of a key. The shortest catches the placeholder and the half-pasted value."""
UNUSABLE = ""
"""In place of a key that cannot be opened. The project has one, so the gateway's own must not be used for it."""

_LONG_ENOUGH_TO_SHOW = 20
"""Characters, as in `domain.tokens.masked`: of a shorter key, its last four would give too much away."""
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Check = Callable[[int], None]
"""Given the stored version; raises where the change is for another one."""


def row_of(credential: ProviderCredential) -> str:
    """The name of the row that a key is sealed for: not even who writes the database moves it elsewhere."""
    return f"provider_credentials/{credential.id}/{credential.project_id}/{credential.provider}"


def described(credential: ProviderCredential) -> dict[str, Any]:
    """What may be known of it: as answers and the audit log show it."""
    return {
        "credential_id": credential.id,
        "project_id": credential.project_id,
        "provider": credential.provider,
        "last_four": credential.last_four,
        "created_at": _iso(credential.created_at),
        "updated_at": _iso(credential.updated_at),
    }


async def put_credential(
    transaction: Transaction,
    tenancy: Tenancy,
    project: Project,
    provider: str,
    secret: str,
    *,
    check: Check | None = None,
    must_exist: bool = False,
) -> ProviderCredential:
    """Set a project's key for a provider, in place of an earlier one, within a transaction of the caller's.

    Workers that hold the earlier key forget it. Raises ProblemError 412 where there must be an earlier one and is none
    (RFC 9110 section 13.1.1), 422 for what is no key or no provider's name, 503 without a master key to encrypt it
    with.
    """
    _check_provider(provider)
    _check_secret(secret)
    session = transaction.session
    before = await _find(session, project.id, provider)
    if before is None and must_exist:
        raise conflicting()
    if check is not None and before is not None:
        check(before.version)
    blank = before or ProviderCredential(
        id=tenancy.make_id("crd_"),
        project_id=project.id,
        provider=provider,
        ciphertext=b"",
        key_id="",
        last_four="",
        created_at=transaction.at,
        updated_at=transaction.at,
        version=0,
    )
    try:
        ciphertext, key_id = tenancy.key_ring.seal(secret.encode(), row_of(blank))
    except SealError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, f"The key cannot be encrypted: {error}.") from None
    after = replace(
        blank,
        ciphertext=ciphertext,
        key_id=key_id,
        last_four=secret[-4:] if len(secret) >= _LONG_ENOUGH_TO_SHOW else "",
        updated_at=transaction.at,
        version=blank.version + 1,
    )
    await (session.credentials.update(after) if before else session.credentials.add(after))
    await _told(transaction, project, "credential.set", before, after)
    return after


async def set_credential(
    tenancy: Tenancy,
    actor: Actor,
    project_id: str,
    provider: str,
    secret: str,
    *,
    check: Check | None = None,
    must_exist: bool = False,
) -> ProviderCredential:
    """Set a project's key for a provider, in place of an earlier one. Raises ProblemError 404, 412, 422, 503."""
    async with tenancy.changing(actor) as transaction:
        project = await _visible(transaction.session, actor, project_id)
        return await put_credential(transaction, tenancy, project, provider, secret, check=check, must_exist=must_exist)


async def list_credentials(tenancy: Tenancy, actor: Actor, project_id: str) -> list[ProviderCredential]:
    """A project's keys, by provider; show no more of one than `described`. Raises ProblemError 404."""
    async with tenancy.database.reading() as session:
        await _visible(session, actor, project_id)
        found = await session.credentials.for_project(project_id)
    return sorted(found, key=lambda credential: credential.provider)


async def delete_credential(
    tenancy: Tenancy, actor: Actor, project_id: str, provider: str, *, check: Check | None = None
) -> None:
    """Delete a project's key for a provider: the gateway's own is used from then on. Raises ProblemError 404, 412."""
    async with tenancy.changing(actor) as transaction:
        project = await _visible(transaction.session, actor, project_id)
        before = await _find(transaction.session, project_id, provider)
        if before is None:
            raise missing("credential for the provider", provider)
        if check is not None:
            check(before.version)
        await transaction.session.credentials.delete(before.id)
        await _told(transaction, project, "credential.delete", before, None)


async def credentials_of(
    session: Session, key_ring: KeyRing, project_ids: Iterable[str], *, log: FilteringBoundLogger
) -> dict[str, tuple[tuple[str, str], ...]]:
    """What `Principal.credentials` is to hold, by project: provider and key, `UNUSABLE` for one that cannot be opened.

    Projects without keys of their own are not in it.
    """
    opened: dict[str, dict[str, str]] = {}
    for credential in await session.credentials.for_projects(set(project_ids)):
        opened.setdefault(credential.project_id, {})[credential.provider] = _opened(key_ring, credential, log)
    return {project_id: tuple(sorted(keys.items())) for project_id, keys in opened.items()}


def _opened(key_ring: KeyRing, credential: ProviderCredential, log: FilteringBoundLogger) -> str:
    try:
        return key_ring.open(credential.ciphertext, row_of(credential)).decode()
    except SealError as error:
        log.error("a provider credential cannot be used", project=credential.project_id, reason=str(error))
        return UNUSABLE


async def _visible(session: Session, actor: Actor, project_id: str) -> Project:
    project: Project | None = await session.projects.get(project_id)
    if project is None or not actor.may_see(project.organization_id):
        raise missing("project", project_id)
    return project


async def _find(session: Session, project_id: str, provider: str) -> ProviderCredential | None:
    found = await session.credentials.for_project(project_id)
    return next((credential for credential in found if credential.provider == provider), None)


async def _told(
    transaction: Transaction,
    project: Project,
    action: str,
    before: ProviderCredential | None,
    after: ProviderCredential | None,
) -> None:
    """Add the change to the audit log, and have the workers ask anew for the project's tokens."""
    credential = after or before
    assert credential is not None
    await transaction.forget(await digests_of(transaction.session, project_id=project.id))
    await transaction.audit(
        action,
        target_kind="credential",
        target_id=credential.id,
        organization_id=project.organization_id,
        before=None if before is None else described(before),
        after=None if after is None else described(after),
    )


def _check_provider(provider: str) -> None:
    if _PROVIDER.fullmatch(provider) is None:
        detail = "A provider's name is lower-case letters, digits, and . _ - after the first; at most 64 characters."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _check_secret(secret: str) -> None:
    """Refuse what cannot stand in a header or is no key, in words that do not repeat it."""
    if not SHORTEST <= len(secret) <= LONGEST or not secret.isascii() or not secret.isprintable() or " " in secret:
        detail = f"A provider's key is {SHORTEST} to {LONGEST} printable ASCII characters without a space."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
