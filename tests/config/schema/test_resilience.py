"""What is done about providers in trouble has the snapshot's defaults, and bounds that make sense."""

from collections.abc import Callable

import pytest
from msgspec import Struct
from pydantic import BaseModel

from sluicegate.config.schema.resilience import (
    CircuitSettings,
    ConcurrencySettings,
    ProviderTimeouts,
    Resilience,
    RetriesSettings,
)
from sluicegate.domain.snapshot import Circuit, Concurrency, Retries, Timeouts


@pytest.mark.parametrize(
    ("section", "counterpart"),
    [
        (ProviderTimeouts(), Timeouts()),
        (RetriesSettings(), Retries()),
        (CircuitSettings(), Circuit()),
        (ConcurrencySettings(), Concurrency()),
    ],
)
def test_sections_mirror_the_snapshot(section: BaseModel, counterpart: Struct) -> None:
    """Every field of the compiled value can be set, under the same name and with the same default."""
    assert section.model_dump() == {name: getattr(counterpart, name) for name in counterpart.__struct_fields__}


def test_the_sections_stand_side_by_side() -> None:
    """All of them have defaults."""
    assert Resilience() == Resilience(
        retries=RetriesSettings(), circuit=CircuitSettings(), concurrency=ConcurrencySettings()
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("retries: {attempts: 0}", "retries.attempts: must be at least 1"),
        ("retries: {attempts: 11}", "retries.attempts: must be at most 10"),
        ("retries: {statuses: [200]}", "retries.statuses[0]: must be at least 400"),
        ("retries: {statuses: [429, 600]}", "retries.statuses[1]: must be at most 599"),
        ("retries: {budget: 1.1}", "retries.budget: must be at most 1"),
        ("retries: {budget: -0.1}", "retries.budget: must be at least 0"),
        ("retries: {deadline: 0}", "retries.deadline: must be more than 0"),
        ("circuit: {rate: 0}", "circuit.rate: must be more than 0"),
        ("circuit: {consecutive: yes}", "circuit.consecutive: must be a number"),
        (
            "circuit: {ejection: 10, longest_ejection: 9}",
            "circuit: has an ejection that is longer than longest_ejection",
        ),
        ("concurrency: {least: 0}", "concurrency.least: must be at least 1"),
        ("concurrency: {queue: -1}", "concurrency.queue: must be at least 0"),
    ],
)
def test_values_without_sense_are_refused(problems_of: Callable[..., list[str]], text: str, problem: str) -> None:
    """Each with its line and path."""
    assert problems_of(f"resilience:\n  {text}") == [f"2: resilience.{problem}"]
