"""Which tokens a change of an organisation, a project or a user concerns."""

from sluicegate.domain.owner_marks import mark_of
from sluicegate.store.database import Session

MANY = 1_000
"""Beyond so many tokens it is cheaper for all nodes to look every token up anew than to be told each one."""


async def digests_of(
    session: Session, *, organization_id: str | None = None, project_id: str | None = None, user_id: str | None = None
) -> list[bytes] | None:
    """The digests of the tokens of one owner, and its mark for those that files declare; None, which means all tokens
    there are, for too many."""
    owner = {"organization_id": organization_id, "project_id": project_id, "user_id": user_id}
    tokens = await session.tokens.list(limit=MANY + 1, **owner)
    marks = [mark_of(owner_id) for owner_id in owner.values() if owner_id is not None]
    return None if len(tokens) > MANY else [token.digest for token in tokens] + marks
