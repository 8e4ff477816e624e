"""The kinds of records that can be changed, for tests of what their repositories have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from sluicegate.store.database import Session
from sluicegate.store.repository import Repository
from tests.store import records

STRANGE = (
    "Robert'); DROP TABLE tokens;--",
    '"; DELETE FROM users WHERE "1"="1',
    "' OR ''='",
    "%_\\%",
    "$1 :name ? {x} %s %(id)s",
    "Zoë 😀 ﷽ \u200f\u202e 日本語",
    "line\r\nline\ttab \x01\x7f",
    " trailing  ",
    "x" * 200,
)
"""Texts that must come back as they were, and harm nothing."""

UNSTORABLE = ("a\0b", "a\ud800b")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record, how to make one, and a field of it that takes any text."""

    name: str
    make: Callable[..., Any]
    text: str

    def of(self, session: Session) -> Repository[Any]:
        """Its repository."""
        repository: Repository[Any] = getattr(session, self.name)
        return repository


KINDS = (
    Kind("organizations", records.an_organization, "name"),
    Kind("projects", records.a_project, "name"),
    Kind("users", records.a_user, "name"),
    Kind("tokens", records.a_token, "name"),
    Kind("credentials", records.a_credential, "provider"),
    Kind("price_overrides", records.a_price_override, "model"),
    Kind("admin_keys", records.an_admin_key, "name"),
    Kind("accounts", records.an_account, "login"),
)


def changed(record: Any, **fields: Any) -> Any:
    """The next version of a record."""
    return replace(record, version=record.version + 1, updated_at=record.updated_at + 1, **fields)


async def ids(repository: Repository[Any], **narrowing: Any) -> list[str]:
    """The ids of a list, without the defaults that are always there."""
    return [record.id for record in await repository.list(**narrowing) if not record.id.endswith("_default")]
