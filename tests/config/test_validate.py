"""All problems come at once, each with its line, path and the setting that may have been meant."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.draft import Draft, Place
from sluicegate.config.inheritance import add_presets, add_resilience
from sluicegate.config.problem import ConfigurationError
from sluicegate.config.validate import validate

Problems = Callable[..., list[str]]

DIALECTS = frozenset({"openai"})


def test_every_problem_is_told_at_once(problems_of: Problems) -> None:
    """The schema's errors, broken references and the rules between settings stand side by side."""
    text = """\
server:
  port: 70000
  wrokers: 2
data_dir: ${NOWHERE}
providers:
  a: {dialect: opnai, base_url: "ftp://h"}
models:
  - {name: m, targets: [{model: b/x}]}
"""
    assert problems_of(text) == [
        "2: server.port: must be at most 65535",
        "3: server.wrokers: is no setting (did you mean workers?)",
        "4: data_dir: the environment variable NOWHERE is not set",
        "6: providers.a.base_url: must begin with http://, https:// or unix:/",
        "6: providers.a.dialect: must be one of anthropic, gemini, generic, openai (did you mean openai?)",
        "8: models[0].targets[0].model: names the provider b, which is not configured",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("server: 5", "1: server: must be a mapping"),
        ("providers: [a]", "1: providers: must be a mapping"),
        ("providers: {a: 5}", "1: providers.a: must be a mapping"),
        ("tokens: {a: b}", "1: tokens: must be a list"),
        ("tokens: [5]", "1: tokens[0]: must be a mapping"),
        ("server: {port: 8.5}", "1: server.port: must be a whole number"),
        ("server: {port: eighty}", "1: server.port: must be a whole number"),
        ("server: {port: [1]}", "1: server.port: must be a whole number"),
        ("server: {port: yes}", "1: server.port: must be a number"),
        ("server: {port: -1}", "1: server.port: must be at least 0"),
        ("server: {drain_seconds: soon}", "1: server.drain_seconds: must be a number"),
        ("server: {drain_seconds: [1]}", "1: server.drain_seconds: must be a number"),
        ("server: {drain_seconds: .inf}", "1: server.drain_seconds: must be a finite number"),
        ("server: {limits: {head_seconds: 0}}", "1: server.limits.head_seconds: must be more than 0"),
        ("server: {tls: {certificate: x}}", "1: server.tls.key: is required"),
        ("data_dir: 5", "1: data_dir: must be text; a number or a word like yes belongs in quotes"),
        ("management_token: 1234567890", "1: management_token: must be text; a number or a word like yes belongs in"),
        ("tokens: [{name: a, token: abcdefgh, active: maybe}]", "1: tokens[0].active: must be true or false"),
        ("tokens: [{name: a, token: abcdefgh, active: [1]}]", "1: tokens[0].active: must be true or false"),
        ("models: [{name: a, targets: []}]", "1: models[0].targets: must not be empty"),
    ],
)
def test_wrong_shapes(problems_of: Problems, text: str, problem: str) -> None:
    """A value of the wrong kind is refused in an operator's words."""
    (found,) = problems_of(text)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("allow", "problem"),
    [
        ("dialct", "must be 'dialect' or 'all' (did you mean dialect?)"),
        ("5", "must be 'dialect' or 'all'"),
        ("[]", "must not be empty"),
    ],
)
def test_allow_is_a_word_or_a_list(problems_of: Problems, allow: str, problem: str) -> None:
    """What pydantic calls the kinds of `allow` stays out of the path."""
    text = f"providers: {{a: {{dialect: openai, base_url: 'http://h', allow: {allow}}}}}"
    assert problems_of(text) == [f"1: providers.a.allow: {problem}"]


def test_entries_of_a_list_are_reported_alone(problems_of: Problems) -> None:
    """A list whose only entry is invalid is not called empty on top of that."""
    text = "providers: {a: {dialect: openai, base_url: 'http://h', allow: [{methods: [FETCH], path: a}]}}"
    assert problems_of(text) == [
        "1: providers.a.allow[0].methods[0]: must be one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    ]


def test_names_are_checked_where_they_stand(problems_of: Problems) -> None:
    """A key the operator chose is reported at its own line and path."""
    text = """\
providers:
  V1: {dialect: openai, base_url: "http://h"}
  v1: {dialect: openai, base_url: "http://h", headers: {Host: x}}
"""
    assert problems_of(text) == [
        "2: providers.V1: is no name for a provider: lower-case letters, digits, and . _ - after the first",
        "3: providers.v1: is no name for a provider: /v1 is a path of the gateway itself",
        "3: providers.v1.headers.Host: is a header the gateway sets itself",
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("data-dir: x", "data_dir"),
        ("Tokens: []", "tokens"),
        ("port: 1", "server.port"),
        ("drain_seconds: 1", "server.drain_seconds"),
        ("server: {host_name: x}", "host"),
        ("server: {request_line: 1}", "server.limits.request_line"),
        ("tokens: [{name: a, token: abcdefgh, expires: x}]", "expires_at"),
        ("providers: {a: {dialect: openai, base_url: 'http://h', timeout: {}}}", "timeouts"),
        ("providers: {a: {dialect: openai, base_url: 'http://h', timeouts: {conect: 1}}}", "connect"),
    ],
)
def test_unknown_keys_are_met_with_a_guess(problems_of: Problems, text: str, meant: str) -> None:
    """A misspelt or misplaced key is an error that names the setting probably meant."""
    (found,) = problems_of(text)
    assert found.endswith(f"is no setting (did you mean {meant}?)")


@pytest.mark.parametrize("text", ["zzzzzz: 1", "model: 1\nname: 2", "server: {zzz: null}"])
def test_no_guess_is_better_than_a_wrong_one(problems_of: Problems, text: str) -> None:
    """A key like nothing we know, or like several settings elsewhere, is just unknown."""
    assert problems_of(text)[-1].endswith("is no setting")


KEYS = [
    "server",
    "port",
    "tls",
    "providers",
    "dialect",
    "base_url",
    "headers",
    "allow",
    "models",
    "targets",
    "model",
    "tokens",
    "token",
    "name",
    "defaults",
    "methods",
    "path",
    "[key]",
    "word",
    "rules",
    "preset",
    "parameters",
    "deployments",
    "resilience",
    "circuit",
    "retries",
    "fallbacks",
    "sticky",
    "header",
    "by_header",
    "regions",
    "tags",
    "azure",
]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["server", "providers", "models", "tokens", "defaults", "resilience"]), ANYTHING)
)
def test_no_shape_of_data_is_too_strange(data: dict[str, object]) -> None:
    """Whatever plain data a file holds, it is accepted or refused with problems that have a path."""
    draft = Draft(Place("f"))
    draft.data = data
    add_presets(draft)
    add_resilience(draft)
    try:
        validate(draft, dialects=DIALECTS)
    except ConfigurationError as error:
        problems = error.problems
    else:
        problems = ()
    assert all(problem.path and problem.message for problem in problems)
