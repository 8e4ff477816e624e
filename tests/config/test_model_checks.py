"""Rules on models, one by one."""

from collections.abc import Callable

import pytest

from sluicegate.config.draft import Draft, Place
from sluicegate.config.model_checks import provider_names

Problems = Callable[..., list[str]]

PROVIDERS = """\
providers:
  openai: {dialect: openai, base_url: "http://h/v1", region: eu, tags: [a, b]}
  claude: {dialect: anthropic, base_url: "http://h"}
  many:
    dialect: openai
    base_url: http://m/v1
    tags: [a]
    deployments: [{name: one, region: eu}, {name: two, region: us, tags: [b]}]
models:
"""
FIRST = "- {name: first, targets: [{model: openai/x}], fallbacks: [FALLBACK]}\n"


@pytest.mark.parametrize(
    ("fallback", "problem"),
    [
        ("frist", "is no model of ours, and not provider/model (did you mean first?)"),
        ("opnai/x", "names the provider opnai, which is not configured (did you mean openai/x?)"),
        ("openai/", "must be provider/model"),
        ("first", "is the model itself"),
        ("wide-*", "has a * in its name: which of its models is meant, cannot be known"),
        ("openai/x-*", "has a *, but there is none in first that it could stand for"),
        ("back", "leads back to first: back falls back to it; name a target, provider/model"),
        ("far", "leads back to first: far falls back to it; name a target, provider/model"),
        ("claude/x", "claude/x speaks the dialect anthropic, but the first target, openai/x, speaks openai; make two"),
        ("other", "claude/y speaks the dialect anthropic, but the first target, openai/x, speaks openai; make two mod"),
    ],
)
def test_fallbacks_must_lead_somewhere_else(problems_of: Problems, fallback: str, problem: str) -> None:
    """To a target or a model of ours, of the same dialect, and never back."""
    text = FIRST.replace("FALLBACK", f"'{fallback}'") + (
        "- {name: wide-*, targets: [{model: openai/*}]}\n"
        "- {name: back, targets: [{model: openai/x}], fallbacks: [FIRST]}\n"
        "- {name: far, targets: [{model: openai/x}], fallbacks: [near]}\n"
        "- {name: near, targets: [{model: openai/x}], fallbacks: [FIRST, circle]}\n"
        "- {name: other, targets: [{model: claude/y}]}\n"
        "- {name: circle, targets: [{model: openai/x}], fallbacks: [openai/x]}\n"
    ).replace("FIRST", "first" if fallback in {"back", "far"} else "circle")
    found = [line for line in problems_of(PROVIDERS + text) if line.startswith("10: ")]
    assert len(found) == 1
    assert found[0].startswith(f"10: models[0].fallbacks[0]: {problem}")


def test_models_that_lead_round_without_this_one(problems_of: Problems) -> None:
    """Each of a circle is told of; one that only leads into it is not."""
    text = (
        "- {name: out, targets: [{model: openai/x}], fallbacks: [one]}\n"
        "- {name: one, targets: [{model: openai/x}], fallbacks: [two]}\n"
        "- {name: two, targets: [{model: openai/x}], fallbacks: [one]}\n"
    )
    assert [line.partition(":")[0] for line in problems_of(PROVIDERS + text)] == ["11", "12"]


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("{name: '*-*', targets: [{model: openai/x}]}", "name: has more than one *"),
        ("{name: a-*, targets: [{model: openai/*-*}]}", "targets[0].model: has more than one *"),
        ("{name: a, targets: [{model: openai/*}]}", "targets[0].model: has a *, but there is none in a that it could"),
    ],
)
def test_wildcards_stand_for_one_text(problems_of: Problems, model: str, problem: str) -> None:
    """One in the name, and then one in a target."""
    (found,) = problems_of(f"{PROVIDERS}- {model}")
    assert found.startswith(f"10: models[0].{problem}")


@pytest.mark.parametrize(
    ("constraints", "targets", "unfit"),
    [
        ("regions: [eu]", "openai/x", False),
        ("regions: [us, eu]", "openai/x", False),
        ("regions: [us]", "openai/x", True),
        ("regions: [us]", "many/x", False),
        ("regions: [asia]", "many/x", True),
        ("tags: [a, b]", "openai/x", False),
        ("tags: [a, c]", "openai/x", True),
        ("tags: [a], regions: [eu]", "many/x", False),
        ("tags: [a], regions: [us]", "many/x", True),
        ("tags: [b], regions: [us]", "many/x", False),
        ("regions: [eu]", "nowhere/x", False),
    ],
)
def test_targets_must_be_within_reach(problems_of: Problems, constraints: str, targets: str, *, unfit: bool) -> None:
    """A deployment has its own region and tags, or the provider's; one that fits is enough."""
    text = f"- {{name: m, targets: [{{model: {targets}}}], {constraints}}}\n- 5"
    told = "10: models[0].targets[0].model: no deployment of"
    assert any(line.startswith(told) for line in problems_of(PROVIDERS + text)) == unfit


def test_fallbacks_must_be_within_reach(problems_of: Problems) -> None:
    """Also the targets of another model that stand in."""
    text = (
        "- {name: m, targets: [{model: many/x}], fallbacks: [n], regions: [us]}\n"
        "- {name: n, targets: [{model: openai/x}]}"
    )
    assert problems_of(PROVIDERS + text) == [
        "10: models[0].fallbacks[0]: no deployment of openai fits the regions and tags of this model"
    ]


def test_a_deployment_that_configured_itself_counts(problems_of: Problems) -> None:
    """Whatever its section looks like: what has no region fits no region."""
    text = "models: [{name: m, targets: [{model: mistral/x}], regions: [eu]}]"
    (found,) = problems_of(text, environment={"MISTRAL_API_KEY": "k"})
    assert found == "1: models[0].targets[0].model: no deployment of mistral fits the regions and tags of this model"


def test_other_shapes_are_passed_over(problems_of: Problems) -> None:
    """Values of the wrong kind are the schema's to report, once."""
    model = "{name: m, targets: [{model: 5}], fallbacks: [5], regions: [eu, 5], tags: 5}"
    found = problems_of(f"{PROVIDERS}- {model}\n- {{name: 5, targets: 5, fallbacks: [m]}}")
    assert [line.partition(": must be")[0] for line in found] == [
        "10: models[0].targets[0].model",
        "10: models[0].fallbacks[0]",
        "10: models[0].regions[1]",
        "10: models[0].tags",
        "11: models[1].name",
        "11: models[1].targets",
    ]


def test_names_of_providers() -> None:
    """In the order of the file."""
    draft = Draft(Place("f"))
    draft.data = {"providers": {"b": None, "a": {}}}
    assert provider_names(draft) == ["b", "a"]
