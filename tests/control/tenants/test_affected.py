"""Which tokens a change concerns."""

import pytest

from sluicegate.control.tenants import affected
from sluicegate.control.tenants.affected import digests_of
from sluicegate.domain.owner_marks import mark_of, owners_marked
from sluicegate.domain.tenants import Token
from sluicegate.domain.tokens import digest
from tests.control.api import Api


async def owned(api: Api, user_id: str | None, count: int) -> None:
    """Give somebody of the own organisation tokens."""
    tokens = [
        Token(
            id=f"tok_{user_id}{number:05}",
            digest=digest(f"{user_id}{number}".encode()),
            prefix="sk-sg-",
            last_four="0000",
            organization_id="org_own",
            user_id=user_id,
            created_at=1,
            updated_at=1,
        )
        for number in range(count)
    ]
    async with api.database.writing() as session:
        await session.tokens.add_all(tokens)


async def found(api: Api, **owner: str) -> list[bytes] | None:
    """Ask."""
    async with api.database.reading() as session:
        return await digests_of(session, **owner)


def named(digests: list[bytes] | None) -> set[bytes]:
    """Those that are named one by one, without the mark of their owner."""
    assert digests is not None
    return {digest for digest in digests if not owners_marked([digest])}


def test_tokens_of_an_owner_are_named(api: Api) -> None:
    """A user's tokens are the user's own, an organisation's those of everybody in it."""
    world = api.world()
    api.run(owned(api, "usr_own", 1))
    added, own = digest(b"usr_own0"), digest(world.own["secret"].encode())
    assert named(api.run(found(api, user_id="usr_own"))) == {added, own}
    assert named(api.run(found(api, organization_id="org_own"))) == {added, own}
    assert api.run(found(api, organization_id="org_default")) == [mark_of("org_default")]


def test_an_owner_is_marked(api: Api) -> None:
    """For the tokens of it that files declare, on whichever nodes."""
    api.world()
    digests = api.run(found(api, project_id="prj_own"))
    assert digests is not None
    assert owners_marked(digests) == {"prj_own"}


@pytest.mark.parametrize(("count", "is_named"), [(affected.MANY - 1, True), (affected.MANY, False)])
def test_very_many_are_all(count: int, is_named: bool, api: Api) -> None:
    """Beyond a thousand, all tokens there are have to be looked up anew."""
    api.world()
    api.run(owned(api, "usr_own", count))
    digests = api.run(found(api, user_id="usr_own"))
    assert (digests is not None) == is_named
    assert digests is None or len(named(digests)) == affected.MANY
