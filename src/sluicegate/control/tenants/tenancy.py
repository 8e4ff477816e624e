"""What the use cases of tenants reach, and the transaction that each of them changes things in."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sluicegate.control.problems import ProblemError
from sluicegate.control.secrets import KeyRing
from sluicegate.control.tenants.actor import Actor
from sluicegate.control.tenants.audit import record
from sluicegate.domain.issuing import TokenRecipe
from sluicegate.domain.principal import Principal
from sluicegate.store.database import Database, Session
from sluicegate.store.errors import AlreadyExistsError, MissingError, VersionConflictError

Announcing = Callable[[list[bytes] | None], AbstractContextManager[None]]
"""Has this node's workers forget these tokens, all of them if None, when it is entered and when it is left, and answers
nothing about them in between: the commit is in between. Other nodes read the change log."""

CARRIED_OUT = 1
"""In place of a status, of a request with an idempotency key whose change is committed, and whose answer is not yet."""


class Transaction:
    """A change under way: everything in it happens, or nothing."""

    def __init__(self, session: Session, actor: Actor, at: int) -> None:
        """`at` is now, in Unix milliseconds."""
        self.session = session
        self.actor = actor
        self.at = at
        self.digests: set[bytes] = set()
        self.is_about_all = False

    def __repr__(self) -> str:
        """Tell whose it is."""
        return f"<Transaction {self.actor.kind} {self.actor.id}>"

    async def audit(
        self,
        action: str,
        *,
        target_kind: str,
        target_id: str,
        organization_id: str | None,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
    ) -> None:
        """Add a line to the audit log. `before` and `after` are as an API would show them: without secrets."""
        await record(
            self.session,
            self.actor,
            action,
            at=self.at,
            target_kind=target_kind,
            target_id=target_id,
            organization_id=organization_id,
            before=before,
            after=after,
        )

    async def forget(self, digests: Iterable[bytes] | None) -> None:
        """Have every worker of every node look these tokens up anew; all tokens, if None."""
        if digests is None:
            self.is_about_all = True
            await self.session.changes.append(None)
            return
        known = list(digests)
        if known:
            self.digests.update(known)
            await self.session.changes.append(known)


@dataclass(frozen=True, slots=True, repr=False)
class Tenancy:
    """The use cases' ports. `now` gives Unix milliseconds, `make_id` a new identifier of a prefix such as `tok_`."""

    database: Database
    key_ring: KeyRing
    random: Callable[[int], bytes]
    now: Callable[[], int]
    make_id: Callable[[str], str]
    announcing: Announcing
    recipe: Callable[[], TokenRecipe]
    declared: Callable[[str], Principal | None] = lambda _token_id: None
    """The token that a file declares by its id, None if none does."""

    @asynccontextmanager
    async def changing(self, actor: Actor) -> AsyncIterator[Transaction]:
        """One transaction, around whose commit this node's workers are told.

        Raises ProblemError 404, 409, 412 for what the store refuses.
        """
        try:
            with ExitStack() as told:
                async with self.database.writing() as session:
                    transaction = Transaction(session, actor, self.now())
                    if actor.claim is not None:
                        await session.idempotency.finish(*actor.claim, status=CARRIED_OUT, body=b"")
                    yield transaction
                    if transaction.is_about_all:
                        told.enter_context(self.announcing(None))
                    elif transaction.digests:
                        told.enter_context(self.announcing(list(transaction.digests)))
        except AlreadyExistsError as error:
            raise ProblemError(HTTPStatus.CONFLICT, f"There is one with this {error.field} already.") from None
        except VersionConflictError:
            raise conflicting() from None
        except MissingError:
            raise ProblemError(HTTPStatus.NOT_FOUND, "It was deleted while it was being changed.") from None


def conflicting() -> ProblemError:
    """412 (RFC 9110 section 13.1.1): it is not in the version that the change was made for."""
    detail = "It was changed by somebody else in the meantime: get it again, and repeat the change on what it is now."
    return ProblemError(HTTPStatus.PRECONDITION_FAILED, detail)
