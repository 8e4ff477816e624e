"""Models of our own, as the file may declare them."""

from collections.abc import Callable

import pytest

from sluicegate.config.schema.models import ModelSettings, ModelTarget, StickyHeader

HEAD = "providers: {a: {dialect: openai, base_url: 'http://h'}}\nmodels:\n- name: m\n  targets: [{model: a/x}]\n  "


def test_a_model_is_plain_by_default() -> None:
    """Weighted, not sticky, anywhere, with the provider's timeouts and everybody's retries, never hedged."""
    model = ModelSettings(name="m", targets=(ModelTarget(model="a/x"),))
    assert (model.strategy, model.sticky, model.regions, model.tags, model.fallbacks) == ("weighted", None, (), (), ())
    assert (model.timeouts, model.retries, model.hedge_seconds) == (None, None, None)


def test_a_header_to_stick_by_is_lower_case() -> None:
    """Header names have no case; a section that was read once can be read again."""
    given = {"name": "m", "targets": [{"model": "a/x"}], "sticky": {"header": "X-Session"}}
    model = ModelSettings.model_validate(given)
    assert model.sticky == StickyHeader(header="x-session")
    assert ModelSettings.model_validate(model.model_dump()) == model


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "strategy: fastest",
            "strategy: must be 'weighted', 'round_robin', 'least_busy', 'lowest_latency' or 'cheapest'",
        ),
        ("strategy: round-robin", "(did you mean round_robin?)"),
        ("sticky: always", "sticky: must be 'conversation' or 'user'"),
        ("sticky: 5", "sticky: must be a mapping"),
        ("sticky: {heder: x}", "(did you mean header?)"),
        ("sticky: {header: 'a b'}", "sticky.header: is no name of a header"),
        ("hedge_seconds: 0", "hedge_seconds: must be more than 0"),
        ("regions: eu", "regions: must be a list"),
        ("fallbacks: [5]", "fallbacks[0]: must be text"),
        ("timeouts: {total: 0}", "timeouts.total: must be more than 0"),
        ("retries: {attempts: none}", "retries.attempts: must be a whole number"),
    ],
)
def test_values_without_sense_are_refused(problems_of: Callable[..., list[str]], text: str, problem: str) -> None:
    """Each with its line and path."""
    found = problems_of(HEAD + text)
    assert all(line.startswith("5: models[0].") for line in found)
    assert any(problem in line for line in found)
