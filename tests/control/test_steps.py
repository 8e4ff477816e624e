"""Steps are repeated as long as they find something, and a time to keep things may be any number."""

import asyncio

import pytest

from sluicegate.control.steps import kept_since, repeated


@pytest.mark.parametrize(("full", "total", "left"), [(1, 10, []), (2, 10, [0]), (4, 7, [2, 1, 0])])
def test_repeated_until_a_step_is_not_full(full: int, total: int, left: list[int]) -> None:
    """What all of them found is told; after a step that found less than a full one there is no other."""
    found = [4, 3, 2, 1, 0]

    async def step() -> int:
        return found.pop(0)

    assert asyncio.run(repeated(step, 0, full=full)) == total
    assert found == left


def test_kept_since_fits_any_time() -> None:
    """Also that of somebody who wants to keep everything for ever."""
    assert kept_since(10_000, 2.5) == 7_500
    assert kept_since(10_000, 1e300) == 0
