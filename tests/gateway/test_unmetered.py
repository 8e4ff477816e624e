"""What no hard limit lets pass; whole requests are in `tests/flows/test_batches.py`."""

import pytest

from sluicegate.dialects.table import DIALECTS
from sluicegate.gateway.stages.meter import METERED
from sluicegate.gateway.unmetered import UNBOUNDED, UNPRICED


def test_what_is_metered_is_neither() -> None:
    """Each operation is charged by one rule."""
    assert not (UNBOUNDED | UNPRICED) & METERED
    assert not UNBOUNDED & UNPRICED


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini"])
def test_every_path_that_makes_something_has_a_rule(dialect: str) -> None:
    """Of all that may be posted by default, the rest is free of charge, or costs less than a request is worth."""
    api = DIALECTS[dialect]
    free = {
        *("conversations", "count_tokens", "fileSearchStores", "files", "moderations", "operations"),
        *("skills", "stored", "upload", "uploads", "vector_stores"),
    }
    paths = [rule.path.replace("*", "x") for rule in api.allow if "POST" in rule.methods]
    operations = {api.operation(path) for path in paths}
    assert operations <= METERED | UNBOUNDED | UNPRICED | free, operations
