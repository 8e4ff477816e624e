"""What the database says of the owners of declared tokens."""

from msgspec.structs import replace

from sluicegate.control.tenants.declared import Said, said_of
from sluicegate.domain.limits import Calendar, Lifetime, Limit, Rolling
from sluicegate.domain.principal import Principal
from tests.control.api import Api
from tests.store.records import a_limit

MONTH = Calendar("month", "Europe/Berlin")
DECLARED = Principal(
    "tok_file",
    organization_id="org_own",
    project_id="prj_own",
    user_id="usr_own",
    limits=(
        Limit("token", "tok_file", "tokens", Rolling(3600), 70),
        Limit("token", "tok_file", "requests", Lifetime(), 71),
        Limit("organization", "org_own", "tokens", Rolling(3600), 72),
        Limit("organization", "org_own", "usd", MONTH, 73),
    ),
)


def said(api: Api, *principals: Principal) -> list[Said]:
    """Ask."""

    async def ask() -> list[Said]:
        async with api.database.reading() as session:
            return await said_of(session, principals)

    return api.run(ask())


def a_world(api: Api) -> None:
    """The organisation has a budget in Berlin, the user one too; limits are set on all of them."""
    api.world()
    api.make("PATCH", "/admin/organizations/org_own", {"time_zone": "Europe/Berlin", "monthly_budget_usd": 9})
    api.make("PATCH", "/admin/organizations/org_own", {"failure_mode": "open", "fallback_daily_limit": 2})
    api.make("PATCH", "/admin/users/usr_own", {"monthly_limit_usd": 8})

    async def add() -> None:
        async with api.database.writing() as session:
            for number, (scope, scope_id, maximum) in enumerate(
                [("organization", "org_own", 1), ("user", "usr_own", 3), ("token", "tok_file", 4)]
            ):
                limit = a_limit(number, scope=scope, scope_id=scope_id, organization_id="org_own", maximum=maximum)
                await session.limits.add(limit)

    api.run(add())


def test_owners_bound_their_declared_tokens(api: Api) -> None:
    """Set limits first, then fields, then the file's own and the defaults; the widest first, each account once."""
    a_world(api)
    (found,) = said(api, DECLARED)
    bound = found.of(DECLARED)
    nano = 1_000_000_000
    assert [(limit.account, limit.maximum) for limit in bound.limits] == [
        ("org_own|tokens|1h", 1),
        ("org_own|usd|month@Europe/Berlin", 9 * nano),
        ("prj_own|tokens|1h", bound.limits[2].maximum),
        ("usr_own|tokens|1h", 3),
        ("usr_own|usd|month@Europe/Berlin", 8 * nano),
        ("tok_file|tokens|1h", 4),
        ("tok_file|requests|lifetime", 71),
    ]
    assert (bound.failure_mode, bound.fallback_daily_limit) == ("open", 2 * nano)
    changed = {"failure_mode": "closed", "fallback_daily_limit": 0, "body_bytes": 0}
    assert replace(bound, limits=DECLARED.limits, **changed) == DECLARED


def test_projects_keep_bodies_of_their_declared_tokens(api: Api) -> None:
    """As of those that were issued."""
    a_world(api)
    api.make("PATCH", "/admin/projects/prj_own", {"body_share": 0.5, "body_bytes": 99})
    (found,) = said(api, DECLARED)
    assert (found.of(DECLARED).body_share, found.of(DECLARED).body_bytes) == (0.5, 99)


def test_a_projects_model_answers_its_declared_tokens(api: Api) -> None:
    """As those that were issued, unless the file has one for the token; its keys are of its project."""
    a_world(api)
    api.make("PATCH", "/manage/projects/prj_own", {"model": "smart"})
    (found,) = said(api, DECLARED)
    assert found.of(DECLARED).model == "smart"
    assert found.of(replace(DECLARED, model="own")).model == "own"
    with_keys = replace(found, credentials=(("openai", "sk-project"),))
    assert with_keys.of(DECLARED).credentials == (("openai", "sk-project"),)
    assert "sk-project" not in repr(with_keys)


def test_owners_of_the_file_alone_say_nothing(api: Api) -> None:
    """The token is as its file has it, in the order of scopes; so is one that names others since it was asked for."""
    a_world(api)
    stranger = replace(DECLARED, token_id="tok_x", organization_id="org_x", project_id="prj_x", user_id="usr_x")
    own, nobody = said(api, DECLARED, stranger)
    assert set(nobody.of(stranger).limits) == set(DECLARED.limits)
    assert nobody.of(stranger).failure_mode == "closed"
    assert own.of(stranger) == stranger
    assert said(api) == []


def test_a_users_budget_is_of_the_users_own_calendar(api: Api) -> None:
    """Also where the token is declared for another organisation: it is one account with the user's other tokens."""
    a_world(api)
    (found,) = said(api, replace(DECLARED, organization_id="org_foreign"))
    assert "usr_own|usd|month@Europe/Berlin" in [limit.account for limit in found.limits]
    assert found.user_organization == "org_own"
