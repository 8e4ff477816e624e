"""Names of segment files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.domain.segments import (
    boot_id,
    control_incarnation_name,
    incarnation_name,
    parsed_segment_name,
    segment_name,
    unfinished_name,
)


def test_name_has_a_stable_form() -> None:
    """Files outlive a version of the program."""
    incarnation = incarnation_name(7, boot_id(0x0193A5B0C0DE, 0x1F2E3D4C))
    assert segment_name(incarnation, 12) == "007-0193a5b0c0de1f2e3d4c-00000012.jsonl"


@given(st.integers(0, 5000), st.integers(0, 2**47), st.integers(0, 2**32 - 1), st.integers(1, 10**10))
def test_name_is_read_back(worker: int, milliseconds: int, salt: int, number: int) -> None:
    """Every name a worker can write is recognised by the reader."""
    incarnation = incarnation_name(worker, boot_id(milliseconds, salt))
    assert parsed_segment_name(segment_name(incarnation, number)) == (incarnation, number)


@given(st.integers(0, 2**47), st.integers(0, 2**47), st.integers(), st.integers())
def test_starts_sort_by_time(one: int, other: int, salt: int, other_salt: int) -> None:
    """A later start has a greater id, whatever its salt."""
    if one < other:
        assert boot_id(one, salt) < boot_id(other, other_salt)


@pytest.mark.parametrize(("worker", "boot"), [(-1, "a"), (0, ""), (0, "a-b"), (0, "A"), (0, "../a")])
def test_refuses_names_that_cannot_be_read_back(worker: int, boot: str) -> None:
    """An id that would break the file's name is an error at once."""
    with pytest.raises(ValueError, match="no name for worker"):
        incarnation_name(worker, boot)


@given(st.integers(0, 2**47), st.integers(0, 2**32 - 1), st.integers(1, 10**10))
def test_name_of_control_is_read_back(milliseconds: int, salt: int, number: int) -> None:
    """Its segments are recognised like a worker's, and are nobody else's."""
    incarnation = control_incarnation_name(boot_id(milliseconds, salt))
    assert incarnation.startswith("control-")
    assert parsed_segment_name(segment_name(incarnation, number)) == (incarnation, number)


@pytest.mark.parametrize("boot", ["", "a-b", "A", "../a"])
def test_refuses_starts_of_control_that_cannot_be_read_back(boot: str) -> None:
    """As with workers."""
    with pytest.raises(ValueError, match="no name for a start"):
        control_incarnation_name(boot)


def test_unfinished_segment_is_no_segment() -> None:
    """Readers overlook a segment that is not locked yet."""
    assert unfinished_name("000-a", 1) == ".000-a-00000001.jsonl"
    assert parsed_segment_name(unfinished_name("000-a", 1)) is None


@pytest.mark.parametrize(
    "name",
    ["", "000-a.jsonl", "0-a-00000001.jsonl", "000-a-1.jsonl", "000-a-00000001.jsonl.gz", "000-a-0000000x.jsonl"],
)
def test_overlooks_other_files(name: str) -> None:
    """What an operator keeps in the directory does no harm."""
    assert parsed_segment_name(name) is None
