"""The environment is copied, and the table of known providers is consistent."""

import pytest

from sluicegate.config.environment import KNOWN_PROVIDERS, NEVER_EMPTY, SETTING_VARIABLES, process_environment
from sluicegate.config.reference import settings_reference
from sluicegate.domain.paths import RESERVED_SEGMENTS


def test_the_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done to the mapping does not reach the process."""
    monkeypatch.setenv("SLUICEGATE_TEST_ONLY", "x")
    environment = process_environment()
    assert environment.pop("SLUICEGATE_TEST_ONLY") == "x"
    assert process_environment()["SLUICEGATE_TEST_ONLY"] == "x"


def test_known_providers_are_valid_and_distinct() -> None:
    """Names are free, addresses are secure and readable, variables belong to one provider each."""
    names = [known.name for known in KNOWN_PROVIDERS]
    variables = [name for known in KNOWN_PROVIDERS for name in known.key_variables]
    assert len({*names}) == len(names)
    assert len({*variables}) == len(variables)
    assert RESERVED_SEGMENTS.isdisjoint(names)
    assert all(known.base_url.startswith("https://") for known in KNOWN_PROVIDERS)


def test_variables_set_settings_that_exist() -> None:
    """Every variable that overrides a setting leads to one."""
    paths = {setting.path for setting in settings_reference()}
    assert {".".join(location) for _, location in SETTING_VARIABLES} <= paths
    assert {name for name, _ in SETTING_VARIABLES} >= NEVER_EMPTY
