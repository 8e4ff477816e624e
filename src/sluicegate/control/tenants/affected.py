"""Which tokens a change of a user or an organisation concerns."""

from sluicegate.store.database import Session

MANY = 1_000
"""Beyond so many tokens it is cheaper for all nodes to look every token up anew than to be told each one."""


async def digests_of(
    session: Session, *, organization_id: str | None = None, user_id: str | None = None
) -> list[bytes] | None:
    """The digests of the tokens of a user or an organisation; None, which means all tokens there are, for too many."""
    owner = {"user_id": user_id} if user_id is not None else {"organization_id": organization_id}
    tokens = await session.tokens.list(limit=MANY + 1, **owner)
    return None if len(tokens) > MANY else [token.digest for token in tokens]
