"""How a mock behaves: the notation of faults and of the headers that change it for one request."""

import pytest

from sluicegate.bench.mock.settings import FAULTS, Fault, MockSettings, SettingError, overridden, parse_fault


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_read_as_it_is_written(kind: str) -> None:
    """The notation of a fault, written out, gives the same fault back."""
    fault = Fault(kind, 503 if FAULTS[kind] else 0)
    assert parse_fault(str(fault)) == fault


def test_no_fault_has_a_name() -> None:
    """`none` switches a default fault off."""
    assert parse_fault("none") is None


@pytest.mark.parametrize("text", ["", "fire", "status", "status=", "status=200", "reset-after=-1", "reset-before=1"])
def test_wrong_fault_is_refused(text: str) -> None:
    """A fault that cannot be meant is an error, not something near it."""
    with pytest.raises(SettingError):
        parse_fault(text)


def test_headers_change_a_copy() -> None:
    """Settings of a request are the mock's own but for what it names."""
    settings = MockSettings(tokens=5, fault=Fault("reset-before"), fault_first=1, require_key="k")
    changed = overridden(settings, {"delay": "0.5", "usage": "off", "prompt-tokens": "7", "fault": "stall-after=2"})
    assert changed == MockSettings(
        tokens=5, delay=0.5, usage=False, prompt_tokens=7, fault=Fault("stall-after", 2), require_key="k"
    )
    assert settings.delay == 0


def test_delay_in_milliseconds() -> None:
    """The delay has a second unit, that of most tools."""
    assert overridden(MockSettings(), {"delay-ms": "250"}) == MockSettings(delay=0.25)


@pytest.mark.parametrize(
    "given", [{"speed": "1"}, {"tokens": "many"}, {"usage": "yes"}, {"rate": "-1"}, {"fault": "fire"}]
)
def test_wrong_header_is_refused(given: dict[str, str]) -> None:
    """A misspelt name or value is an error, so that no test passes by accident."""
    with pytest.raises(SettingError):
        overridden(MockSettings(), given)
