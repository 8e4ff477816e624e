"""Providers and their deployments, as the file may declare them."""

from collections.abc import Callable

import pytest

from sluicegate.config.reference import json_schema
from sluicegate.config.schema.providers import DeploymentSettings, ProviderSettings

HEAD = "providers:\n  a:\n    dialect: openai\n    base_url: http://h\n    "


def test_the_file_requires_nothing_of_a_provider() -> None:
    """What is missing, a preset may have: an editor must not complain."""
    assert "required" not in json_schema()["$defs"]["ProviderSettings"]
    assert json_schema()["$defs"]["DeploymentSettings"]["required"] == ["name"]


def test_a_deployment_sets_nothing_by_default() -> None:
    """But a weight: all else is the provider's."""
    deployment = DeploymentSettings(name="one")
    assert deployment.weight == 1
    assert set(deployment.model_dump(exclude_defaults=True)) == {"name"}


def test_a_credential_is_written_in_one_way() -> None:
    """The header in lower case, the word before the credential as it is."""
    places = ["bearer", "API-Key", "X-Auth Token"]
    given = [{"dialect": "openai", "base_url": "http://h", "credential": place} for place in places]
    found = [ProviderSettings.model_validate(each).credential for each in given]
    assert found == ["bearer", "api-key", "x-auth Token"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("credential: host", "5: providers.a.credential: is a header the gateway sets itself"),
        (
            "credential: a b c",
            "5: providers.a.credential: must be bearer, a header's name, or a header's name, a space",
        ),
        ("credential: ''", "5: providers.a.credential: is no name of a header"),
        ("api_keys: ['']", "5: providers.a.api_keys[0]: is empty"),
        ("api_keys: [a, b, a]", "5: providers.a.api_keys[2]: is the same key as an earlier one"),
        ("deployments: [{}]", "5: providers.a.deployments[0].name: is required"),
        ("deployments: [{name: a/b}]", "5: providers.a.deployments[0].name: is no name for a deployment"),
        ("deployments: [{name: a, wait: 0}]", "5: providers.a.deployments[0].wait: is no setting"),
        ("deployments: [{name: a, wieght: 2}]", "(did you mean weight?)"),
        ("deployments: [{name: a, weight: 0}]", "5: providers.a.deployments[0].weight: must be at least 1"),
        (
            "deployments:\n    - {name: a}\n    - {name: a}",
            "7: providers.a.deployments[1].name: has the name of an earl",
        ),
        ("deployments: [{name: a, base_url: 'ftp://h'}]", "5: providers.a.deployments[0].base_url: must begin with"),
        (
            "deployments: [{name: a, headers: {X-A: '1', x-a: '2'}}]",
            "headers.x-a: is the same header as an earlier one",
        ),
        ("circuit: {least: 0}", "5: providers.a.circuit.least: must be at least 1"),
    ],
)
def test_values_without_sense_are_refused(problems_of: Callable[..., list[str]], text: str, problem: str) -> None:
    """Each with its line and path."""
    (found,) = problems_of(HEAD + text)
    assert problem in found


@pytest.mark.parametrize("other", ["api_key: k", "deployments: [{name: one}]"])
def test_keys_stand_in_one_place(problems_of: Callable[..., list[str]], other: str) -> None:
    """Whether several keys belong to each deployment or are deployments, nobody should have to guess."""
    (found,) = problems_of(f"{HEAD}api_keys: [a, b]\n    {other}")
    assert found.startswith("2: providers.a: has api_keys beside api_key or deployments")


def test_a_deployments_header_has_one_value(problems_of: Callable[..., list[str]]) -> None:
    """It may replace the provider's, and nothing that is told of callers."""
    assert problems_of(
        f"{HEAD}caller_headers: {{x-a: {{u: user}}}}\n    deployments: [{{name: d, headers: {{X-A: '1'}}}}]"
    ) == ["2: providers.a: sets the header x-a in two ways"]
