"""Rules between settings, one by one."""

from collections.abc import Callable

import pytest

Problems = Callable[..., list[str]]

PROVIDERS = """\
providers:
  openai: {dialect: openai, base_url: "http://h/v1"}
  local: {dialect: openai, base_url: "http://l/v1"}
  claude: {dialect: anthropic, base_url: "http://h"}
"""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("defaults: {opena: local}", "5: defaults.opena: is no dialect (did you mean openai?)"),
        ("defaults: {openai: lokal}", "5: defaults.openai: names no provider (did you mean local?)"),
        ("defaults: {openai: claude}", "5: defaults.openai: names the provider claude, which speaks another dialect"),
        ("models: [{name: a, targets: [{model: gpt}]}]", "5: models[0].targets[0].model: must be provider/model"),
        ("models: [{name: a, targets: [{model: /gpt}]}]", "5: models[0].targets[0].model: must be provider/model"),
        ("models: [{name: a, targets: [{model: openai/}]}]", "5: models[0].targets[0].model: must be provider/model"),
        (
            "models: [{name: a, targets: [{model: zzz/gpt}]}]",
            "5: models[0].targets[0].model: names the provider zzz, which is not configured",
        ),
        (
            "models:\n- name: a\n  targets:\n  - {model: openai/x}\n  - {model: local/y}\n  - {model: claude/z}",
            "10: models[0].targets[2].model: claude/z speaks the dialect anthropic, but the first target, openai/x, "
            "speaks openai; make two models of them",
        ),
    ],
)
def test_references_between_settings(problems_of: Problems, text: str, problem: str) -> None:
    """A setting that names another must name one that is there and fits."""
    assert problems_of(PROVIDERS + text) == [problem]


def test_models_may_speak_different_dialects(problems_of: Problems) -> None:
    """Each its own; only the targets of one must agree, as far as it is known what they speak."""
    models = "models:\n- {name: a, targets: [{model: openai/x}, {model: local/y}]}\n"
    unknown = "- {name: b, targets: [{model: zzz/x}, {model: claude/z}]}"
    assert problems_of(PROVIDERS + models + unknown) == [
        "7: models[1].targets[0].model: names the provider zzz, which is not configured"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "models:\n- {name: a, targets: [{model: openai/x}]}\n- {name: a, targets: [{model: openai/y}]}",
            "7: models[1].name: has the name of an earlier one",
        ),
        (
            "tokens:\n- {name: a, token: abcdefgh}\n- {name: a, token: ijklmnop}",
            "7: tokens[1].name: has the name of an earlier one",
        ),
        (
            "tokens:\n- {name: a, token: abcdefgh}\n- {name: b, token: abcdefgh}",
            "7: tokens[1].token: has the same secret as an earlier one",
        ),
        ("plugins: [a, b, a]", "5: plugins[2]: is named twice"),
        (
            "tokens:\n- {name: a, token: abcdefgh}\nmanagement_token: abcdefgh",
            "6: tokens[0].token: has the same secret as an earlier one",
        ),
        (
            "management_token: abcdefgh\nmetrics: {token: abcdefgh}",
            "6: metrics.token: has the same secret as an earlier one",
        ),
    ],
)
def test_nothing_is_declared_twice(problems_of: Problems, text: str, problem: str) -> None:
    """Names and secrets mean one thing each."""
    assert problems_of(PROVIDERS + text) == [problem]


def test_a_header_is_given_once_whatever_its_spelling(problems_of: Problems) -> None:
    """Two spellings of a header would be one field with one of two values."""
    text = (
        "providers:\n  a:\n    dialect: openai\n    base_url: http://h\n    headers:\n      X-A: 1st\n      x-a: 2nd\n"
    )
    assert problems_of(text) == ["7: providers.a.headers.x-a: is the same header as an earlier one"]


@pytest.mark.parametrize("section", ["caller_headers", "price_headers"])
def test_a_header_has_one_value(problems_of: Problems, section: str) -> None:
    """What is told of callers and prices is spelt once, too, and in no header that is set otherwise."""
    fact = {"caller_headers": "user", "price_headers": "input"}[section]
    head = "providers:\n  a:\n    dialect: openai\n    base_url: http://h\n"
    text = f"{head}    {section}:\n      X-A: {{u: {fact}}}\n      x-a: {{u: {fact}}}\n"
    assert problems_of(text) == [f"7: providers.a.{section}.x-a: is the same header as an earlier one"]
    text = f"{head}    headers: {{X-A: '1'}}\n    {section}:\n      x-a: {{u: {fact}}}\n"
    assert problems_of(text) == ["2: providers.a: sets the header x-a in two ways"]
    (problem,) = problems_of(f"{head}    {section}:\n      x-a: {{u: shoe_size}}\n")
    assert problem.startswith(f"6: providers.a.{section}.x-a.u: must be ")
    (problem,) = problems_of(f"{head}    {section}:\n      x-a: {{}}\n")
    assert problem.startswith(f"6: providers.a.{section}.x-a")


def test_two_unresolved_secrets_are_no_duplicates(problems_of: Problems) -> None:
    """What could not be resolved is compared with nothing."""
    assert problems_of("tokens:\n- {name: a, token: '${A}'}\n- {name: b, token: '${A}'}") == [
        "2: tokens[0].token: the environment variable A is not set",
        "3: tokens[1].token: the environment variable A is not set",
    ]


def test_checks_pass_over_other_shapes(problems_of: Problems) -> None:
    """Values of the wrong kind are the schema's to report, once."""
    text = """\
defaults: {openai: 5}
models: [{name: 5, targets: [{model: 5}]}]
providers: {a: {dialect: 5, base_url: "unix:/x"}}
"""
    assert [problem.partition(": must be text")[0] for problem in problems_of(text)] == [
        "1: defaults.openai",
        "2: models[0].name",
        "2: models[0].targets[0].model",
        "3: providers.a.dialect",
    ]
