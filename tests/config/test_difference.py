"""Differences are told setting by setting, by name, without secrets, and with what it takes."""

from collections.abc import Callable

import pytest

from sluicegate.config.compile import Compiled
from sluicegate.config.difference import Change, differences

LoadText = Callable[..., Compiled]

PROVIDER = "providers: {a: {dialect: openai, base_url: 'http://h', SETTINGS}}"
MODEL = PROVIDER.replace(", SETTINGS", "") + "\nmodels: [{name: m, targets: [TARGETS]}]"


def told(load_text: LoadText, before: str, after: str) -> list[str]:
    """The differences, one line each."""
    return [str(change) for change in differences(load_text(before).settings, load_text(after).settings)]


@pytest.mark.parametrize("text", ["", PROVIDER.replace("SETTINGS", "api_key: k, headers: {x-a: b}")])
def test_nothing_differs_from_itself(load_text: LoadText, text: str) -> None:
    """However often it is read."""
    assert told(load_text, text, text) == []


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("server: {port: 1}", "server: {port: 2}", ["server.port: 1 → 2 (needs a restart)"]),
        ("", "server: {drain_seconds: 5}", ["server.drain_seconds: 30.0 → 5.0"]),
        ("", "server: {limits: {body_bytes: 9}}", ["server.limits.body_bytes: 268435456 → 9"]),
        ("", "redis: {address: 'redis://:pw@h'}", ["redis: added: {address: '****'} (needs a restart)"]),
        ("key_file: a.json", "", ["key_file: removed: a.json (needs a restart)"]),
        ("plugins: [a]", "plugins: [b, a]", ["plugins: [a] → [b, a]"]),
        ("", "plugins: [a]", ["plugins: [] → [a]"]),
        ("", "resilience: {circuit: {opens_last: true}}", ["resilience.circuit.opens_last: false → true"]),
        (
            "",
            "tokens: [{name: t, token: abcdefgh, expires_at: 2030-01-01T00:00:00Z}]",
            ["tokens[t]: added: {name: t, token: '****', expires_at: '2030-01-01T00:00:00Z'}"],
        ),
        (
            "prices: [{model: gpt, input: 1, output: 2}]",
            "prices: [{model: gpt, input: 1, output: 3}]",
            ["prices[gpt].output: '2' → '3'"],
        ),
        (
            "limits: {defaults: {users: [{metric: tokens, window: day, maximum: 1}]}}",
            "limits: {defaults: {users: [{metric: tokens, window: day, maximum: 2}]}}",
            [
                "limits.defaults.users: [{metric: tokens, window: day, maximum: '1'}] → "
                "[{metric: tokens, window: day, maximum: '2'}]"
            ],
        ),
    ],
)
def test_settings_are_told_by_their_path(load_text: LoadText, before: str, after: str, lines: list[str]) -> None:
    """As they are written in the file, with what was and what is to be."""
    assert told(load_text, before, after) == lines


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("api_key: one", "api_key: two", ["providers.a.api_key: changed"]),
        ("", "api_key: two", ["providers.a.api_key: set"]),
        ("api_key: one", "", ["providers.a.api_key: no longer set"]),
        ("api_keys: [one, two]", "api_keys: [one, three]", ["providers.a.api_keys: changed"]),
        ("api_keys: [one, two]", "api_keys: [one]", ["providers.a.api_keys: ['****', '****'] → ['****']"]),
        ("headers: {x-a: one}", "headers: {x-a: two}", ["providers.a.headers.x-a: changed"]),
        ("headers: {accept: a/b}", "headers: {accept: c/d}", ["providers.a.headers.accept: a/b → c/d"]),
        ("proxy: 'http://u:p@h:1'", "proxy: 'http://u:q@h:1'", ["providers.a.proxy: changed"]),
        ("proxy: 'http://u:p@h:1'", "proxy: none", ["providers.a.proxy: http://****@h:1 → none"]),
        ("allow: all", "allow: dialect", ["providers.a.allow: all → dialect"]),
        (
            "deployments: [{name: x, api_key: one}]",
            "deployments: [{name: x, api_key: two, weight: 2}]",
            ["providers.a.deployments[x].api_key: changed", "providers.a.deployments[x].weight: 1 → 2"],
        ),
        (
            "",
            "deployments: [{name: x, api_key: one, headers: {accept: a/b, x-a: c}}]",
            ["providers.a.deployments[x]: added: {name: x, api_key: '****', headers: {accept: a/b, x-a: '****'}}"],
        ),
    ],
)
def test_secrets_are_only_told_to_differ(load_text: LoadText, before: str, after: str, lines: list[str]) -> None:
    """Of a provider: what is harmless can be read, what is not is hidden."""
    assert told(load_text, PROVIDER.replace("SETTINGS", before), PROVIDER.replace("SETTINGS", after)) == lines


def test_a_provider_that_comes_or_goes_is_one_change(load_text: LoadText) -> None:
    """With what it sets, not with its defaults."""
    lines = told(load_text, "providers: {groq: {api_key: k}}", "providers: {vllm: {}}")
    assert lines == [
        "providers.groq: removed: {preset: groq, dialect: openai, base_url: 'https://api.groq.com/openai/v1', "
        "api_key: '****'}",
        "providers.vllm: added: {preset: vllm, dialect: openai, base_url: 'http://127.0.0.1:8000/v1'}",
    ]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("{model: a/x, weight: 1}, {model: a/y}", "{model: a/y}, {model: a/x, weight: 9}", ["weight", "order"]),
        ("{model: a/x}, {model: a/x}", "{model: a/x}", ["whole"]),
    ],
)
def test_entries_of_lists_are_found_by_name(load_text: LoadText, before: str, after: str, lines: list[str]) -> None:
    """Their order is told apart; where names say nothing, the lists are told as a whole."""
    expected = {
        "weight": "models[m].targets[a/x].weight: 1 → 9",
        "order": "models[m].targets: [a/x, a/y] → [a/y, a/x]",
        "whole": "models[m].targets: [{model: a/x}, {model: a/x}] → [{model: a/x}]",
    }
    found = told(load_text, MODEL.replace("TARGETS", before), MODEL.replace("TARGETS", after))
    assert found == [expected[line] for line in lines]


def test_a_setting_of_two_kinds(load_text: LoadText) -> None:
    """A word and a section are told as they stand."""
    model = MODEL.replace("[TARGETS]", "[{model: a/x}], sticky: STICKY")
    lines = told(load_text, model.replace("STICKY", "user"), model.replace("STICKY", "{header: x-s}"))
    assert lines == ["models[m].sticky: user → {header: x-s}"]


def test_a_change_says_what_it_takes() -> None:
    """Where a node listens and stores takes a restart, all else a reload."""
    assert Change("server.workers", "1", "2").needs_restart
    assert Change("server.tls.key", "a", "b").needs_restart
    assert not Change("models[m].strategy", "weighted", "cheapest").needs_restart
