"""Sinks in a configuration: as a list or by name, from the environment, each with what its type needs."""

from collections.abc import Callable

from sluicegate.config.compile import Compiled
from sluicegate.config.show import redacted_yaml

LoadText = Callable[..., Compiled]
Problems = Callable[..., list[str]]

AWS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "t",
}


def test_a_list_and_a_mapping_mean_the_same(load_text: LoadText) -> None:
    """Entries of a list have their names in them."""
    listed = load_text("sinks:\n  - {name: a, type: file, path: x}\n  - {name: b, type: webhook, url: 'http://h'}\n")
    named = load_text("sinks:\n  a: {type: file, path: x}\n  b: {type: webhook, url: 'http://h'}\n")
    assert listed.settings.sinks == named.settings.sinks
    assert [*listed.settings.sinks] == ["a", "b"]


def test_problems_of_a_list_have_their_lines(problems_of: Problems) -> None:
    """And the path that the same sink would have by its name."""
    assert problems_of("sinks:\n  - {name: a, type: file, path: x}\n  - name: b\n    type: webhook\n    ulr: x\n") == [
        "3: sinks.b.url: is required by a sink of type webhook",
        "5: sinks.b.ulr: is no setting (did you mean url?)",
    ]


def test_entries_have_names(problems_of: Problems) -> None:
    """Each its own."""
    text = "sinks:\n  - 3\n  - {type: file, path: x}\n  - {name: a, type: file, path: x}\n  - {name: a, type: file}\n"
    assert problems_of(text) == [
        "2: sinks[0].name: is required, as text",
        "3: sinks[1].name: is required, as text",
        "5: sinks[3].name: has the name of an earlier one",
    ]


def test_references_that_lead_nowhere_are_told_once(problems_of: Problems) -> None:
    """In a list, too."""
    assert problems_of("sinks:\n  - {name: a, type: webhook, url: '${NOWHERE}'}\n") == [
        "2: sinks[0].url: the environment variable NOWHERE is not set"
    ]


def test_types_and_their_settings(problems_of: Problems) -> None:
    """A type that is none, a setting that is missing, and one that means nothing."""
    text = (
        "sinks:\n  a: {type: webhok}\n  b: {type: otlp}\n  c: {type: file, path: x, url: 'http://h', bus: b}\n"
        "  d: {type: 3}\n  e: {}\n"
    )
    assert problems_of(text) == [
        "2: sinks.a.type: must be one of cloudwatch, eventbridge, file, helicone, langfuse, lunary, otlp, redis,"
        " webhook (did you mean webhook?)",
        "3: sinks.b.url: is required by a sink of type otlp",
        "4: sinks.c.bus: means nothing to a sink of type file",
        "4: sinks.c.url: means nothing to a sink of type file",
        "5: sinks.d.type: must be text; a number or a word like yes belongs in quotes",
        "6: sinks.e.type: is required",
    ]


def test_one_variable_makes_a_webhook(load_text: LoadText) -> None:
    """`LOGGING_URL`, with a file or without, unless the file has a sink of that name."""
    environment = {"LOGGING_URL": "https://logs.example/in"}
    (sink,) = load_text("{}", environment=environment).settings.sinks.values()
    assert (sink.type, sink.text("url")) == ("webhook", "https://logs.example/in")
    text = "sinks: [{name: logging, type: file, path: x}]"
    assert load_text(text, environment=environment).settings.sinks["logging"].type == "file"
    assert load_text("{}", environment={"LOGGING_URL": ""}).settings.sinks == {}


def test_a_bad_variable_is_named(problems_of: Problems) -> None:
    """Not its value."""
    (problem,) = problems_of("{}", environment={"LOGGING_URL": "nonsense"})
    assert problem.startswith("environment: LOGGING_URL: must be http://host/path")


def test_keys_come_from_the_environment(load_text: LoadText) -> None:
    """Where the sink does not say them; half a key is not completed with half of another."""
    sink = load_text("sinks: {e: {type: eventbridge}}", environment=AWS).settings.sinks["e"]
    assert (sink.region, sink.text("access_key_id"), sink.text("session_token")) == ("eu-west-1", "AKID", "t")
    text = "sinks: {e: {type: eventbridge, access_key_id: a, secret_access_key: b}}"
    sink = load_text(text, environment=AWS).settings.sinks["e"]
    assert (sink.region, sink.text("access_key_id"), sink.text("session_token")) == ("eu-west-1", "a", "")
    sink = load_text("sinks: {h: {type: helicone}}", environment={"HELICONE_API_KEY": "k"}).settings.sinks["h"]
    assert sink.text("api_key") == "k"


def test_half_a_key_is_none(problems_of: Problems) -> None:
    """What is missing is asked for."""
    assert problems_of("sinks: {e: {type: eventbridge, access_key_id: a}}", environment=AWS) == [
        "1: sinks.e.secret_access_key: is required by a sink of type eventbridge"
    ]


def test_secrets_are_not_shown(load_text: LoadText) -> None:
    """Neither keys nor addresses nor headers."""
    text = (
        "sinks:\n  a: {type: webhook, url: 'http://h/geheim', secret: geheim, headers: {x-key: geheim}}\n"
        "  b: {type: langfuse, public_key: geheim, secret_key: geheim}\n"
        "  c: {type: cloudwatch, region: r, access_key_id: geheim, secret_access_key: geheim, session_token: geheim,"
        " log_group: g}\n"
        "  d: {type: lunary, api_key: geheim}\n"
    )
    assert "geheim" not in redacted_yaml(load_text(text))
