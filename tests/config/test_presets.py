"""The table of presets is consistent, and each of them configures a provider by its name alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sluicegate.config.addresses import parse_base
from sluicegate.config.compile import Compiled
from sluicegate.config.presets import BY_NAME, PRESETS, Preset
from sluicegate.domain.paths import RESERVED_SEGMENTS

LoadText = Callable[..., Compiled]

PAGE = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text()


def test_presets_are_distinct() -> None:
    """Names are free, and every variable belongs to one of them, for one purpose."""
    variables = [name for preset in PRESETS for name in _variables(preset)]
    assert len({*variables}) == len(variables)
    assert len(BY_NAME) == len(PRESETS)
    assert RESERVED_SEGMENTS.isdisjoint(BY_NAME)


def test_local_ones_are_here_and_others_are_secure() -> None:
    """A key never travels in the clear, and no model of this machine is looked for elsewhere."""
    for preset in PRESETS:
        if not preset.base_url:
            continue
        origin = parse_base(preset.base_url.format_map(dict.fromkeys(preset.parameters, "x"))).origin
        assert origin.scheme == "https" or origin.host == "127.0.0.1"
        assert (origin.host == "127.0.0.1") == (preset.name in {"vllm", "ollama", "llama.cpp"})


@pytest.mark.parametrize("preset", [preset for preset in PRESETS if preset.base_url], ids=lambda preset: preset.name)
def test_a_preset_is_a_provider(load_text: LoadText, preset: Preset) -> None:
    """Name, parameters and key are enough; the key goes where the preset says."""
    parameters = ", ".join(f"{name}: my-{name}" for name in preset.parameters)
    text = f"server: {{port: 1}}\nproviders: {{{preset.name}: {{api_key: k-1, parameters: {{{parameters}}}}}}}"
    (provider,) = load_text(text).snapshot.providers
    base = parse_base(preset.base_url.format_map({name: f"my-{name}" for name in preset.parameters}))
    assert (provider.dialect, provider.origin, provider.base_path) == (preset.dialect, base.origin, base.path)
    expected = {
        "": ("authorization", "Bearer k-1"),
        "api-key": ("api-key", "k-1"),
        "cf-aig-authorization Bearer": ("cf-aig-authorization", "Bearer k-1"),
    }
    assert provider.headers == (expected[preset.credential],)
    assert provider.ask_usage == preset.ask_usage


def test_cloudflare_is_told_user_and_organisation(load_text: LoadText) -> None:
    """Its logs are searched by them."""
    (provider,) = load_text(
        "providers: {cloudflare: {api_key: k, parameters: {account: a, gateway: g}}}"
    ).snapshot.providers
    assert provider.base_path == "/v1/a/g/compat"
    assert provider.caller_headers == (("cf-aig-metadata", (("user_id", "user"), ("org_id", "organization"))),)


def test_the_page_has_the_table_of_presets() -> None:
    """What a preset stands for can be looked up."""
    for preset in PRESETS:
        base_url = f"`{preset.base_url}`" if preset.base_url else "your own"
        credential = f"`{preset.credential}`" if preset.credential else "as its dialect"
        assert f"| `{preset.name}` | `{preset.dialect}` | {base_url} | {credential} |" in PAGE


def _variables(preset: Preset) -> list[str]:
    single = [name for name in (preset.base_url_variable, preset.version_variable) if name]
    return [*preset.key_variables, *single, *(variable for _, variable in preset.parameter_variables)]
