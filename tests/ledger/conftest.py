"""Databases for ledgers: those of the store's tests."""

import pytest

from tests.store.conftest import kind, migrated_file, migrated_name, place, postgresql

pytest.register_assert_rewrite("tests.ledger.contract", "tests.ledger.machine")

__all__ = ["kind", "migrated_file", "migrated_name", "place", "postgresql"]
