"""What a section does not set, a preset, a deployment or `resilience` has; problems are told where they began."""

from collections.abc import Callable

import pytest

from sluicegate.config.compile import Compiled
from sluicegate.domain.snapshot import Circuit, Concurrency, Origin, Retries

LoadText = Callable[..., Compiled]
Problems = Callable[..., list[str]]

UNFIT = "must be letters, digits, . _ and -, beginning with a letter or digit"


def test_what_a_provider_sets_stands_before_its_preset(load_text: LoadText) -> None:
    """Each setting by itself."""
    text = """\
providers:
  groq: {base_url: "http://h/v9", credential: x-key, api_key: k}
  mine: {preset: mistral, ask_usage: true}
  cf: {preset: cloudflare, parameters: {account: a, gateway: g}, caller_headers: {}}
"""
    groq, mine, cloudflare = load_text(text).snapshot.providers
    assert (groq.origin, groq.base_path, groq.headers) == (Origin("http", "h", 80), "/v9", (("x-key", "k"),))
    assert (mine.authority, mine.ask_usage) == ("api.mistral.ai", True)
    assert cloudflare.caller_headers == ()


def test_a_name_alone_is_a_provider(load_text: LoadText) -> None:
    """With nothing after its colon, and with a mapping of nothing."""
    vllm, ollama = load_text("providers:\n  vllm:\n  ollama: {}").snapshot.providers
    assert (vllm.origin.port, ollama.origin.port) == (8000, 11434)
    assert vllm.headers == ()


def test_a_provider_with_a_dialect_has_no_preset(load_text: LoadText) -> None:
    """Whatever its name: a file that says it all means what it says."""
    text = "providers: {cohere: {dialect: openai, base_url: 'http://h'}}"
    compiled = load_text(text)
    assert compiled.settings.providers["cohere"].preset is None
    assert compiled.snapshot.providers[0].ask_usage


def test_what_is_in_force_can_be_shown(load_text: LoadText) -> None:
    """The settings say which preset was used, and are complete."""
    settings = load_text("providers: {cohere: {api_key: k}}").settings.providers["cohere"]
    assert (settings.preset, settings.dialect, settings.ask_usage) == ("cohere", "openai", False)


def test_deployments_have_places_of_their_own(load_text: LoadText) -> None:
    """By parameters of the preset over those of the provider, by base URLs, or by the provider's."""
    text = """\
providers:
  azure:
    parameters: {resource: main}
    deployments:
      - {name: one}
      - {name: two, parameters: {resource: other}}
      - {name: three, base_url: "http://h/v1"}
"""
    authorities = [provider.authority for provider in load_text(text).snapshot.providers]
    assert authorities == ["main.openai.azure.com", "other.openai.azure.com", "h"]


@pytest.mark.parametrize(
    "provider",
    [
        "azure: {deployments: [{name: a, parameters: {resource: r}}, {name: b, base_url: 'http://b'}]}",
        "x: {dialect: openai, deployments: [{name: a, base_url: 'https://r.openai.azure.com/openai/v1'}]}",
        "compatible: {deployments: [{name: a, base_url: 'https://r.openai.azure.com/openai/v1'}]}",
    ],
)
def test_a_provider_may_be_nowhere_but_in_its_deployments(load_text: LoadText, provider: str) -> None:
    """Its base URL is then that of the first."""
    (settings,) = load_text(f"providers: {{{provider}}}").settings.providers.values()
    assert settings.base_url == "https://r.openai.azure.com/openai/v1"


@pytest.mark.parametrize(
    ("provider", "problems"),
    [
        ("x: {preset: grok}", ["providers.x.preset: is no preset (did you mean groq?)"]),
        ("x: {preset: zzzzzz}", ["providers.x.preset: is no preset"]),
        ("x: {preset: [a]}", ["providers.x.preset: must be text; a number or a word like yes belongs in quotes"]),
        (
            "x: {api_key: k}",
            ["providers.x.dialect: is required: x is the name of no preset", "providers.x.base_url: is required"],
        ),
        (
            "antropic: {base_url: 'http://h'}",
            ["providers.antropic.dialect: is required: antropic is the name of no preset (did you mean anthropic?)"],
        ),
        ("compatible: {}", ["providers.compatible.base_url: is required"]),
        (
            "azure: {api_key: k}",
            ["providers.azure.parameters.resource: is required by the preset azure, or a base_url"],
        ),
        (
            "cloudflare: {parameters: {account: a, gatway: g}}",
            [
                "providers.cloudflare.parameters.gatway: is no parameter of the preset cloudflare "
                "(did you mean gateway?)",
                "providers.cloudflare.parameters.gateway: is required by the preset cloudflare, or a base_url",
            ],
        ),
        (
            "azure: {parameters: {resource: a/b}}",
            [
                f"providers.azure.parameters.resource: {UNFIT}",
            ],
        ),
        (
            "azure: {parameters: {resource: '${NONE}'}}",
            ["providers.azure.parameters.resource: the environment variable NONE is not set"],
        ),
        (
            "azure: {parameters: {resource: }}",
            ["providers.azure.parameters.resource: is required by the preset azure, or a base_url"],
        ),
        (
            "azure: {deployments: [{name: a, parameters: {resource: a}}, {name: b}]}",
            ["providers.azure.parameters.resource: is required by the preset azure, or a base_url"],
        ),
        (
            "azure: {deployments: [{name: a, parameters: {resource: '-'}}]}",
            [
                f"providers.azure.deployments[0].parameters.resource: {UNFIT}",
            ],
        ),
        (
            "x: {dialect: openai, base_url: 'http://h', parameters: {resource: r}}",
            ["providers.x.parameters: belongs to a preset, and this provider has none"],
        ),
        (
            "x: {dialect: openai, deployments: [{name: a, base_url: 'ftp://h'}]}",
            ["providers.x.deployments[0].base_url: must begin with http://, https:// or unix:/"],
        ),
        ("groq: 5", ["providers.groq: must be a mapping"]),
    ],
)
def test_what_is_missing_or_misspelt_is_told_once(problems_of: Problems, provider: str, problems: list[str]) -> None:
    """Where it can be put right, with its line, and without what follows from it."""
    found = problems_of(f"providers:\n  {provider}")
    assert {problem.removeprefix("2: ") for problem in found} == {*problems}
    assert len(found) == len(problems)


def test_parts_take_from_resilience_what_they_do_not_set(load_text: LoadText) -> None:
    """Field by field; a part that is not there at all has all of it."""
    text = """\
resilience:
  retries: {attempts: 5, backoff: 1}
  circuit: {ejection: 7}
  concurrency: {least: 2}
providers:
  a: {dialect: openai, base_url: "http://h", circuit: {opens_last: true}, concurrency: {queue: 0}}
  b: {dialect: openai, base_url: "http://h"}
models:
  - {name: m, targets: [{model: a/x}], retries: {attempts: 1}}
  - {name: n, targets: [{model: a/x}]}
"""
    snapshot = load_text(text).snapshot
    a, b = snapshot.providers
    assert (a.circuit, a.concurrency) == (Circuit(ejection=7, opens_last=True), Concurrency(least=2, queue=0))
    assert (b.circuit, b.concurrency) == (Circuit(ejection=7), Concurrency(least=2))
    assert snapshot.retries == Retries(attempts=5, backoff=1)
    assert [model.retries for model in snapshot.models] == [Retries(attempts=1, backoff=1), None]


def test_what_is_inherited_is_found_fault_with_once(problems_of: Problems) -> None:
    """Where it stands."""
    text = """\
resilience: {circuit: {window: 0, zzz: 1}}
providers: {a: {dialect: openai, base_url: "http://h", circuit: {least: 1}}}
"""
    assert problems_of(text) == [
        "1: resilience.circuit.window: must be more than 0",
        "1: resilience.circuit.zzz: is no setting",
    ]
