"""What the store refuses."""

import pytest

from sluicegate.store import errors
from sluicegate.store.errors import AlreadyExistsError, StoreError, StoreUnavailableError, UnstorableError


def test_each_refusal_is_of_the_store() -> None:
    """Whoever catches StoreError catches all that the store refuses."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert StoreUnavailableError in kinds
    assert all(issubclass(kind, StoreError) for kind in kinds)


def test_a_refusal_names_the_field() -> None:
    """A value that exists already, or that does not fit, is named by its field, and not repeated."""
    assert AlreadyExistsError("email").field == "email"
    assert str(AlreadyExistsError("email")) == "there is one with this email already"
    unstorable = UnstorableError("name", "has a NUL character in it")
    assert (unstorable.field, unstorable.reason) == ("name", "has a NUL character in it")
    assert str(unstorable) == "name: has a NUL character in it"


def test_unavailability_is_an_error_of_the_system() -> None:
    """A database that does not answer is like any other file or connection that fails."""
    with pytest.raises(OSError, match="stopped"):
        raise StoreUnavailableError("stopped")
