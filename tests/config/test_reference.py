"""The list of settings is complete, and so is the page that explains them."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from sluicegate.config.environment import CALLER_VARIABLE, CONFIG_VARIABLE, KNOWN_PROVIDERS, SETTING_VARIABLES
from sluicegate.config.problem import Location
from sluicegate.config.reference import json_schema, keys_at, paths_ending_in, settings_reference
from sluicegate.config.schema import Section, Settings
from sluicegate.config.sink_kinds import KINDS
from sluicegate.config.sinks import LOGGING_VARIABLE
from sluicegate.domain.paths import RESERVED_SEGMENTS
from tests.documents import settings_table, with_table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/configuration.md").read_text()


def test_every_field_of_every_section_is_listed_and_explained() -> None:
    """Nothing that the schema accepts is missing from the list, and nothing goes without a word."""
    listed = [setting.path.rpartition(".")[2] for setting in settings_reference()]
    declared: list[str] = []
    sections: list[type[Section]] = [Section]
    while sections:
        section = sections.pop()
        sections += section.__subclasses__()
        declared += section.model_fields
    assert set(listed) == set(declared)
    assert Counter(listed) >= Counter(declared), "a section may stand in several places"
    assert all(setting.description and setting.kind for setting in settings_reference())


@pytest.mark.parametrize(
    ("path", "kind", "default", "is_required"),
    [
        ("server.port", "whole number", 8080, False),
        ("server.tls.key", "text", None, True),
        ("management_token", "secret", None, False),
        ("providers.<name>.allow", "`dialect` or `all` or list", "dialect", False),
        ("providers.<name>.allow[].methods", "list", None, True),
        ("models[].targets[].weight", "whole number", 1, False),
        ("models[].sticky", "`conversation` or `user` or section", None, False),
        ("models[].sticky.header", "text", None, True),
        ("providers.<name>.dialect", "text", None, False),
        ("providers.<name>.deployments[].parameters", "mapping", {}, False),
        ("resilience.retries.statuses", "list", [408, 429, 500, 502, 503, 504, 529], False),
        ("tokens[].expires_at", "time", None, False),
    ],
)
def test_settings_are_described(path: str, kind: str, default: object, is_required: bool) -> None:
    """Path, kind, default and necessity are read off the schema."""
    (setting,) = [setting for setting in settings_reference() if setting.path == path]
    assert (setting.kind, setting.default, setting.is_required) == (kind, default, is_required)


@pytest.mark.parametrize(
    ("location", "keys"),
    [
        ((), tuple(Settings.model_fields)),
        (("server", "tls"), ("certificate", "key")),
        (("models", 3, "targets", 0), ("model", "weight")),
        (("providers", "any", "allow", 0), ("methods", "path")),
        (("providers",), ()),
        (("nowhere", 1), ()),
    ],
)
def test_keys_at_a_location(location: Location, keys: tuple[str, ...]) -> None:
    """The names a mapping may hold follow from where it stands."""
    assert keys_at(location) == keys


def test_paths_by_name() -> None:
    """A name leads to all the settings that bear it."""
    assert paths_ending_in("drain_seconds") == ("server.drain_seconds",)
    named = ("providers.<name>.deployments[].name", "models[].name", "prices[].services[].name", "tokens[].name")
    assert paths_ending_in("name") == named
    assert paths_ending_in("nothing") == ()


def test_the_json_schema_lets_references_stand_for_numbers() -> None:
    """An editor accepts `port: ${PORT}` and still knows the setting's default."""
    server = json_schema()["$defs"]["Server"]["properties"]
    assert server["port"]["default"] == 8080
    assert server["port"]["anyOf"][1]["pattern"] == r"\$\{.+\}"
    assert json.loads(json.dumps(json_schema()))["additionalProperties"] is False


def test_the_page_has_the_table_of_settings() -> None:
    """The table in docs/reference/configuration.md is that of the schema; `python -m tests.documents` writes it."""
    assert with_table(PAGE, settings_table()) == PAGE


def test_the_page_names_every_variable() -> None:
    """Every variable of the environment that means something is explained."""
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", PAGE))
    known = {CONFIG_VARIABLE, CALLER_VARIABLE, *(name for name, _ in SETTING_VARIABLES)}
    known |= {LOGGING_VARIABLE, *(variable for kind in KINDS.values() for _, variable in kind.variables)}
    for provider in KNOWN_PROVIDERS:
        known |= {*provider.key_variables, provider.base_url_variable or "", provider.version_variable or ""}
        known |= {variable for _, variable in provider.parameter_variables}
    proxies = {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}
    assert known | proxies <= {*named, ""}


def test_the_page_names_every_known_provider_and_reserved_name() -> None:
    """What configures itself, and which names are taken, can be looked up."""
    for provider in KNOWN_PROVIDERS:
        assert f"| `{provider.name}` | `{provider.dialect}` | `{provider.base_url}` |" in PAGE
    assert all(f"`{name}`" in PAGE for name in RESERVED_SEGMENTS)


def test_the_examples_of_the_page_are_yaml() -> None:
    """Every YAML block of the page reads as plain YAML, with any tool."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    assert all(isinstance(yaml.safe_load(block), dict) for block in blocks)
