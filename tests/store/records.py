"""Records for tests of the store: each builder takes a number, from which everything that must be unique is made."""

from typing import Any

from msgspec.structs import replace

from sluicegate.domain.audit import AuditDraft
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.tenants import (
    DEFAULT_ORGANIZATION,
    DEFAULT_PROJECT,
    Account,
    AdminKey,
    LimitRecord,
    Organization,
    PriceOverride,
    Project,
    ProviderCredential,
    Token,
    User,
)

AT = 1_700_000_000_000
"""When they were made, Unix milliseconds."""


def a_digest(number: int) -> bytes:
    """32 bytes."""
    return number.to_bytes(32)


def an_organization(number: int = 1, **fields: Any) -> Organization:
    """An active organisation without a budget."""
    made = Organization(id=f"org_{number:05}", name=f"Organisation {number}", created_at=AT, updated_at=AT)
    return replace(made, **fields)


def a_project(number: int = 1, **fields: Any) -> Project:
    """An active project of the default organisation."""
    made = Project(
        id=f"prj_{number:05}",
        organization_id=DEFAULT_ORGANIZATION,
        name=f"Project {number}",
        created_at=AT,
        updated_at=AT,
    )
    return replace(made, **fields)


def a_user(number: int = 1, **fields: Any) -> User:
    """An active user of the default organisation without a limit."""
    made = User(
        id=f"usr_{number:05}",
        organization_id=DEFAULT_ORGANIZATION,
        email=f"user{number}@example.com",
        name=f"User {number}",
        created_at=AT,
        updated_at=AT,
    )
    return replace(made, **fields)


def a_token(number: int = 1, **fields: Any) -> Token:
    """An active token of the default organisation, of no project and no user, that never ends."""
    made = Token(
        id=f"tok_{number:05}",
        digest=a_digest(number),
        prefix="sk-sg-",
        last_four=f"{number:04}"[-4:],
        organization_id=DEFAULT_ORGANIZATION,
        name=f"Token {number}",
        created_at=AT,
        updated_at=AT,
    )
    return replace(made, **fields)


def a_credential(number: int = 1, **fields: Any) -> ProviderCredential:
    """A credential of the default project for a provider of its own."""
    made = ProviderCredential(
        id=f"crd_{number:05}",
        project_id=DEFAULT_PROJECT,
        provider=f"provider-{number}",
        ciphertext=b"\x00\xffsealed" + a_digest(number),
        key_id="key-1",
        last_four="wxyz",
        created_at=AT,
        updated_at=AT,
    )
    return replace(made, **fields)


def a_limit(number: int = 1, **fields: Any) -> LimitRecord:
    """A hard limit of the default organisation on the tokens of an hour, of a project of its own."""
    made = LimitRecord(
        id=f"lim_{number:05}",
        organization_id=DEFAULT_ORGANIZATION,
        scope="project",
        scope_id=f"prj_{number:05}",
        metric="tokens",
        window="1h",
        maximum=1000 + number,
        created_at=AT,
        updated_at=AT,
    )
    return replace(made, **fields)


def a_price_override(number: int = 1, **fields: Any) -> PriceOverride:
    """A price that the default organisation pays for a model of its own."""
    made = PriceOverride(
        id=f"prc_{number:05}",
        organization_id=DEFAULT_ORGANIZATION,
        provider="openai",
        model=f"model-{number}",
        price=Price(version="test", rates=Rates(input=number, output=2 * number)),
        created_at=AT,
        updated_at=AT,
    )
    return replace(made, **fields)


def an_admin_key(number: int = 1, **fields: Any) -> AdminKey:
    """An active key that may do everything."""
    made = AdminKey(
        id=f"adm_{number:05}",
        digest=a_digest(number),
        prefix="sg-admin-",
        last_four="wxyz",
        name=f"Key {number}",
        role="root",
        created_at=AT,
        updated_at=AT,
    )
    return replace(made, **fields)


def an_account(number: int = 1, **fields: Any) -> Account:
    """An active account that may do everything."""
    made = Account(
        id=f"acc_{number:05}",
        login=f"login{number}",
        password_hash="$argon2id$not-a-real-one",
        role="root",
        created_at=AT,
        updated_at=AT,
    )
    return replace(made, **fields)


def a_draft(number: int = 1, **fields: Any) -> AuditDraft:
    """An entry for the audit log that tells of a project's change."""
    made = AuditDraft(
        at=AT + number,
        actor="adm_00001",
        actor_kind="admin_key",
        action="project.update",
        target_kind="project",
        target_id=f"prj_{number:05}",
    )
    return replace(made, **fields)
