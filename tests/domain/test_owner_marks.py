"""Marks of owners among digests."""

from sluicegate.domain.owner_marks import mark_of, owners_marked
from sluicegate.domain.tokens import digest


def test_owners_are_found_among_digests() -> None:
    """Whatever the length of their ids; a digest is never taken for one."""
    owners = {"org_default", "prj_" + "x" * 28, "usr_" + "y" * 60}
    assert owners_marked([digest(b"a"), *map(mark_of, owners), b"org_" + bytes(28)]) == owners
    assert owners_marked([]) == frozenset()
