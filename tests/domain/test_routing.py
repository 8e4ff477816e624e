"""Which deployments may answer a request: by names, weights, regions and tags."""

import pytest

from sluicegate.domain.routing import Index, Plan, fits, split_model, text_of_star
from sluicegate.domain.snapshot import ModelAlias, Origin, Provider, Snapshot, Target


def a_provider(
    name: str,
    deployment: str = "",
    *,
    weight: int = 1,
    region: str = "",
    tags: tuple[str, ...] = (),
    models: tuple[str, ...] = (),
) -> Provider:
    """A deployment."""
    return Provider(
        name,
        "openai",
        Origin("http", "x.test", 80),
        "x.test",
        deployment=deployment,
        weight=weight,
        region=region,
        tags=tags,
        models=models,
    )


def an_index(*models: ModelAlias, providers: tuple[Provider, ...] = ()) -> Index:
    """Two providers without deployments, unless there are others."""
    return Index(Snapshot(1, providers or (a_provider("openai"), a_provider("other")), models))


def shares(plan: Plan | None) -> list[list[tuple[str, str, float]]]:
    """Of each group whom it asks, as which model, and how often."""
    assert plan is not None
    return [[(choice.provider.id, choice.model, choice.weight) for choice in group] for group in plan.groups]


SMART = ModelAlias(
    "smart",
    (Target("openai", "large", 20), Target("other", "big", 80)),
    fallbacks=((Target("other", "small", 1, 7),),),
)


def test_an_alias_comes_first() -> None:
    """With its groups in their order, each target with its weight and rate."""
    plan = an_index(SMART).plan_of("smart", "openai")
    assert shares(plan) == [[("openai", "large", 20), ("other", "big", 80)], [("other", "small", 1)]]
    assert plan is not None
    assert (plan.rule, plan.alias, plan.groups[1][0].rate) == ("alias", SMART, 7)


def test_an_alias_may_be_named_like_a_provider_model() -> None:
    """Our own names win over `provider/model`."""
    alias = ModelAlias("openai/large", (Target("other", "big"),))
    assert shares(an_index(alias).plan_of("openai/large", None)) == [[("other", "big", 1)]]


def test_wildcards_follow_in_their_order() -> None:
    """The first that fits; the exact name before all of them; `*` in a target is what it stood for."""
    index = an_index(
        ModelAlias(
            "gpt-*", (Target("openai", "gpt-*"), Target("other", "fixed")), fallbacks=((Target("other", "x/*"),),)
        ),
        ModelAlias("gpt-4*", (Target("other", "never"),)),
        ModelAlias("gpt-5", (Target("other", "exact"),)),
    )
    plan = index.plan_of("gpt-4o", None)
    assert plan is not None
    assert plan.rule == "wildcard"
    assert shares(plan) == [[("openai", "gpt-4o", 1), ("other", "fixed", 1)], [("other", "x/4o", 1)]]
    assert shares(index.plan_of("gpt-5", None)) == [[("other", "exact", 1)]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("openai/gpt-4o", ("openai", "gpt-4o")),
        ("other/meta-llama/llama-4", ("other", "meta-llama/llama-4")),
        ("openai/*", ("openai", "*")),
    ],
)
def test_a_provider_may_be_named(wanted: str, expected: tuple[str, str]) -> None:
    """Before the first slash; the rest is its own name for the model, slashes and all."""
    plan = an_index(SMART).plan_of(wanted, "other")
    assert plan is not None
    assert (plan.rule, plan.alias) == ("provider", None)
    assert shares(plan) == [[(*expected, 1)]]


@pytest.mark.parametrize("wanted", ["gpt-4o", "meta-llama/llama-4", "openai/", "/x", "", "openai"])
def test_what_no_name_decides_goes_to_the_default(wanted: str) -> None:
    """As it is."""
    plan = an_index(SMART).plan_of(wanted, "other")
    assert plan is not None
    assert plan.rule == "default"
    assert shares(plan) == [[("other", wanted, 1)]]


@pytest.mark.parametrize("default", [None, "unknown"])
def test_without_a_default_there_is_nobody(default: str | None) -> None:
    """Nor with one that is not there."""
    assert an_index(SMART).plan_of("gpt-4o", default) is None


def test_a_path_names_its_provider() -> None:
    """Whatever the model is called."""
    assert shares(an_index(SMART).plan_at("openai", "smart")) == [[("openai", "smart", 1)]]


def test_a_callers_own_model_is_looked_for_at_the_provider_that_a_path_names() -> None:
    """By the same rules, and of all that it stands for what is that provider's; None where that is nothing."""
    index = an_index(SMART, ModelAlias("away", (Target("other", "big"),)))
    assert shares(index.plan_within("openai", "smart")) == [[("openai", "large", 20)]]
    plan = index.plan_within("other", "smart")
    assert shares(plan) == [[("other", "big", 80)], [("other", "small", 1)]]
    assert plan is not None
    assert (plan.rule, plan.alias) == ("alias", SMART)
    assert shares(index.plan_within("openai", "openai/large")) == [[("openai", "large", 1)]]
    assert shares(index.plan_within("openai", "meta/llama")) == [[("openai", "meta/llama", 1)]]
    assert index.plan_within("openai", "away") is None
    assert index.plan_within("openai", "other/big") is None
    assert index.plan_within("unknown", "large") is None


EAST = a_provider("openai", "east", weight=3, region="eu", tags=("fast",))
WEST = a_provider("openai", "west", weight=1, region="us", tags=("fast", "large"))


def test_deployments_split_a_share_by_their_weights() -> None:
    """The target's weight is that of all of them together."""
    index = an_index(SMART, providers=(EAST, WEST, a_provider("other")))
    assert shares(index.plan_of("smart", None))[0] == [
        ("openai/east", "large", 15),
        ("openai/west", "large", 5),
        ("other", "big", 80),
    ]


def test_deployments_without_any_weight_have_none() -> None:
    """And no division fails."""
    index = an_index(providers=(a_provider("openai", "a", weight=0), a_provider("openai", "b", weight=0)))
    assert shares(index.plan_at("openai", "m")) == [[("openai/a", "m", 0), ("openai/b", "m", 0)]]


def test_deployments_that_list_the_model_come_before_others() -> None:
    """Those without it stand back; where nobody lists it, all are asked."""
    providers = (a_provider("openai", "a", models=("x", "y")), a_provider("openai", "b", models=("x",)), EAST)
    index = an_index(providers=providers)
    assert shares(index.plan_at("openai", "y")) == [[("openai/a", "y", 1)]]
    assert shares(index.plan_at("openai", "x")) == [[("openai/a", "x", 0.5), ("openai/b", "x", 0.5)]]
    assert [name for name, _, _ in shares(index.plan_at("openai", "z"))[0]] == ["openai/a", "openai/b", "openai/east"]


@pytest.mark.parametrize(
    ("regions", "tags", "expected"),
    [
        (("eu",), (), ["openai/east"]),
        (("eu", "us"), (), ["openai/east", "openai/west"]),
        ((), ("large",), ["openai/west"]),
        (("eu",), ("large",), []),
    ],
)
def test_an_alias_says_where(regions: tuple[str, ...], tags: tuple[str, ...], expected: list[str]) -> None:
    """Groups of which nothing is left are left out."""
    alias = ModelAlias("smart", (Target("openai", "m"),), regions=regions, tags=tags)
    index = an_index(alias, providers=(EAST, WEST))
    plan = index.plan_of("smart", None)
    assert [name for group in shares(plan) for name, _, _ in group] == expected
    assert plan is not None
    assert len(plan.groups) == (1 if expected else 0)


def test_a_target_of_nobody_leaves_the_others() -> None:
    """A provider that is gone is asked nothing."""
    alias = ModelAlias("smart", (Target("gone", "m"),), fallbacks=((Target("openai", "m"),),))
    assert shares(an_index(alias).plan_of("smart", None)) == [[("openai", "m", 1)]]


def test_who_fits() -> None:
    """One of the regions, all of the tags."""
    assert fits(EAST, (), ())
    assert fits(EAST, ("us", "eu"), ("fast",))
    assert not fits(EAST, ("us",), ())
    assert not fits(EAST, (), ("fast", "large"))


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("gpt-*", "gpt-4o", "4o"),
        ("*-large", "x-large", "x"),
        ("a*z", "abcz", "bc"),
        ("*", "anything", "anything"),
        ("gpt-*", "gpt-", None),
        ("a*a", "a", None),
        ("a*a", "aa", None),
        ("gpt-*", "Gpt-4", None),
        ("a*z", "abc", None),
    ],
)
def test_what_a_star_stands_for(pattern: str, name: str, expected: str | None) -> None:
    """Any text that is not empty."""
    assert text_of_star(pattern, name) == expected


def test_a_model_is_split_at_a_known_provider_only() -> None:
    """Names that hold slashes themselves stay whole."""
    assert split_model("openrouter/meta-llama/llama-4", {"openrouter"}) == ("openrouter", "meta-llama/llama-4")
    assert split_model("meta-llama/llama-4", {"openai"}) is None
    assert split_model("openai/", {"openai"}) is None
    assert split_model("gpt-4o", {"gpt-4o"}) is None


def test_the_index_tells_its_size() -> None:
    """For whoever debugs it."""
    assert repr(an_index(SMART, ModelAlias("a*", ()))) == "<Index aliases=1 wildcards=1 ['openai', 'other']>"
