"""Models of our own become aliases with nothing left to look up."""

from collections.abc import Callable

from sluicegate.config.compile import Compiled
from sluicegate.domain.snapshot import ModelAlias, Retries, Target, Timeouts

LoadText = Callable[..., Compiled]

PROVIDERS = "providers: {a: {dialect: openai, base_url: 'http://h', region: eu, tags: [x, y]}, b: {preset: groq}}\n"


def test_a_model_with_everything(load_text: LoadText) -> None:
    """Every setting arrives in its compiled form."""
    text = """\
models:
  - name: full
    targets: [{model: a/meta/llama-4, weight: 20}, {model: a/claude}]
    strategy: lowest_latency
    sticky: {header: X-Session}
    regions: [eu, us]
    tags: [x]
    timeouts: {first_byte: 3}
    retries: {attempts: 2, statuses: [503]}
    hedge_seconds: 1.5
"""
    assert load_text(PROVIDERS + text).snapshot.models == (
        ModelAlias(
            "full",
            (Target("a", "meta/llama-4", 20), Target("a", "claude", 1)),
            strategy="lowest_latency",
            sticky="header",
            sticky_header="x-session",
            regions=("eu", "us"),
            tags=("x",),
            timeouts=Timeouts(first_byte=3),
            retries=Retries(attempts=2, statuses=(503,)),
            hedge=1.5,
        ),
    )


def test_stickiness_in_a_word(load_text: LoadText) -> None:
    """Without a header there is no name of one."""
    text = "models: [{name: m, targets: [{model: a/x}], sticky: user}, {name: n, targets: [{model: a/x}]}]"
    assert [(model.sticky, model.sticky_header) for model in load_text(PROVIDERS + text).snapshot.models] == [
        ("user", ""),
        ("", ""),
    ]


def test_a_fallback_is_a_group_of_targets(load_text: LoadText) -> None:
    """One target of its own, or all those of another model with their weights; not that model's fallbacks."""
    text = """\
models:
  - {name: first, targets: [{model: a/x}], fallbacks: [second, a/y, b/with/slash]}
  - {name: second, targets: [{model: a/z, weight: 3}, {model: b/z}], fallbacks: [a/last]}
"""
    first, second = load_text(PROVIDERS + text).snapshot.models
    assert first.fallbacks == (
        (Target("a", "z", 3), Target("b", "z")),
        (Target("a", "y"),),
        (Target("b", "with/slash"),),
    )
    assert second.fallbacks == ((Target("a", "last"),),)


def test_a_name_of_ours_stands_before_a_provider(load_text: LoadText) -> None:
    """Also where it looks like a target: as with requests, the exact name counts first."""
    text = "models: [{name: a/x, targets: [{model: b/y}]}, {name: m, targets: [{model: b/z}], fallbacks: [a/x]}]"
    assert load_text(PROVIDERS + text).snapshot.models[1].fallbacks == ((Target("b", "y"),),)


def test_wildcards_are_kept(load_text: LoadText) -> None:
    """What they stand for is known only with a request."""
    text = "models: [{name: gpt-*, targets: [{model: a/gpt-*}, {model: a/other}], fallbacks: [b/*]}]"
    (model,) = load_text(PROVIDERS + text).snapshot.models
    assert (model.targets[0].model, model.fallbacks) == ("gpt-*", ((Target("b", "*"),),))
