"""Which provider and model a request goes to."""

from collections import Counter
from random import Random

from sluicegate.domain.routing import choose_target, split_model
from sluicegate.domain.snapshot import Target

TARGETS = (Target("a", "x", 20), Target("b", "y", 80))


def test_targets_are_chosen_by_weight() -> None:
    """Over 10,000 draws the split lies within the binomial 99.9 % band (± 3.29 standard deviations of 40)."""
    random = Random(1).random
    counts = Counter(choose_target(TARGETS, random()).provider for _ in range(10_000))
    assert abs(counts["a"] - 2000) <= 3.29 * 40


def test_the_edges_of_a_weight_belong_to_one_target() -> None:
    """Zero falls on the first, the share's end on the next, just below one on the last."""
    assert [choose_target(TARGETS, point).provider for point in (0.0, 0.1999, 0.2, 0.999999)] == ["a", "a", "b", "b"]


def test_a_target_without_weight_is_never_chosen() -> None:
    """Weight zero takes a target out, first or last."""
    assert choose_target((Target("off", "x", 0), Target("on", "y", 1)), 0.0).provider == "on"


def test_rounding_never_leaves_nobody() -> None:
    """A point of one, which no generator gives, still chooses somebody."""
    assert choose_target(TARGETS, 1.0).provider == "b"


def test_a_model_is_split_at_a_known_provider_only() -> None:
    """Names that hold slashes themselves stay whole."""
    assert split_model("openai/gpt-4o", {"openai"}) == ("openai", "gpt-4o")
    assert split_model("openrouter/meta-llama/llama-4", {"openrouter"}) == ("openrouter", "meta-llama/llama-4")
    assert split_model("meta-llama/llama-4", {"openai"}) is None
    assert split_model("openai/", {"openai"}) is None
    assert split_model("gpt-4o", {"gpt-4o"}) is None
