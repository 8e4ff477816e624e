"""Marks of owners: what stands in an announcement for tokens whose digests the database does not know.

Tokens that a file declares are known to the nodes that have the file. So a change of what bounds an organisation, a
project, a user or such a token names that one, among the digests of the tokens that the database has, and each node
finds out itself which of its declared tokens it concerns. A mark is longer than any digest, so none is taken for one.
"""

from collections.abc import Iterable
from typing import Final

_SHORTEST: Final = 33
"""Bytes: one more than a SHA-256 digest has."""


def mark_of(owner_id: str) -> bytes:
    """The mark of an organisation, project, user or token."""
    return owner_id.encode().ljust(_SHORTEST)


def owners_marked(digests: Iterable[bytes]) -> frozenset[str]:
    """The ids of those whose marks are among these."""
    marks = (each for each in digests if len(each) >= _SHORTEST)
    return frozenset(mark.rstrip().decode(errors="replace") for mark in marks)
