"""Settings of the node mirror what the workers run on."""

import pytest
from pydantic import ValidationError

from sluicegate.config.schema.server import Limits
from sluicegate.domain.snapshot import ClientBounds


def test_the_bounds_mirror_the_snapshot() -> None:
    """Every bound can be set, under the same name and with the same default."""
    bounds = ClientBounds()
    assert Limits().model_dump() == {name: getattr(bounds, name) for name in bounds.__struct_fields__}


def test_one_body_must_fit_into_all() -> None:
    """A body that may be held must not be shed for its own size."""
    assert Limits(held_body_bytes=10, all_held_bytes=10).all_held_bytes == 10
    with pytest.raises(ValidationError, match="all_held_bytes below held_body_bytes"):
        Limits(held_body_bytes=11, all_held_bytes=10)
