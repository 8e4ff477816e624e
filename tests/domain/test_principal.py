"""Who is calling."""

import msgspec

from sluicegate.domain.principal import Principal


def test_a_small_installation_needs_only_an_id() -> None:
    """A token belongs to the default project and organisation, is active, never expires and may use everything."""
    principal = Principal("tok_1")
    assert (principal.project_id, principal.organization_id) == ("prj_default", "org_default")
    assert (principal.is_active, principal.expires_at, principal.user_id) == (True, None, None)
    assert (principal.model, principal.withers, principal.is_spent) == (None, False, False)
    assert principal.models == principal.paths == principal.request_headers == ()


def test_travels_to_a_worker_unchanged() -> None:
    """What control sends is what the worker holds."""
    principal = Principal(
        "tok_1",
        name="lan",
        project_id="prj_1",
        organization_id="org_1",
        user_id="usr_1",
        prefix="sg_",
        expires_at=1.5,
        withers=True,
        is_active=False,
        is_spent=True,
        model="small",
        models=("smart",),
        paths=("chat/completions",),
        request_headers=("x-trace",),
        tags=("a", "b"),
        credentials=(("openai", "sk-hunter2"),),
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(principal), type=Principal) == principal


def test_defaults_are_not_sent() -> None:
    """Thousands of principals cross the link; each is only what it differs in."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(Principal("tok_1"))) == {"token_id": "tok_1"}


def test_a_key_of_the_project_is_not_shown() -> None:
    """Whoever prints a principal sees which providers it has keys for, and no key."""
    principal = Principal("tok_1", name="lan", credentials=(("openai", "sk-hunter2"), ("mistral", "")))
    assert "hunter2" not in f"{principal} {principal!r} {(principal,)}"
    assert repr(principal).startswith("Principal(token_id='tok_1', name='lan', ")
    assert repr(principal).endswith(", credentials=['openai', 'mistral'])")
