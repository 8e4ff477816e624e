"""Whose token a digest belongs to: the declared ones at once, the stored ones after a look into the database."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sluicegate.domain.principal import Principal

Answer = Callable[[Principal | None], None]


class TokenDirectory(Protocol):
    """Knows the tokens of this installation."""

    def find(self, digest: bytes, answer: Answer, *, is_damaged: bool = False) -> None:
        """Call `answer` with the principal of the digest, None if it has none; at once, or later in the loop.

        `is_damaged`: it looks like an issued token with a wrong checksum, so it is declared or nobody's.
        """
        ...


class Declared(Protocol):
    """Tokens that a file declares: all of them are in memory."""

    def get(self, digest: bytes) -> Principal | None:
        """The principal of the digest, None if it has none."""
        ...


class DeclaredTokens:
    """The tokens that one file declares."""

    def __init__(self, tokens: Mapping[bytes, Principal]) -> None:
        """Begin with these."""
        self._tokens = tokens

    def __repr__(self) -> str:
        """Tell how many."""
        return f"<DeclaredTokens {len(self._tokens)}>"

    def get(self, digest: bytes) -> Principal | None:
        """The principal of the digest, None if it has none."""
        return self._tokens.get(digest)

    def find(self, digest: bytes, answer: Answer, *, is_damaged: bool = False) -> None:
        """Answer at once: a directory by itself, where nothing is stored."""
        answer(self._tokens.get(digest))

    def replace(self, tokens: Mapping[bytes, Principal]) -> tuple[bytes, ...]:
        """Take these from now on; return the digests that mean something else than before, to be forgotten."""
        old, self._tokens = self._tokens, tokens
        return tuple(digest for digest in old.keys() | tokens.keys() if old.get(digest) != tokens.get(digest))


class Directory:
    """Asks the declared ones first, in their order, and the stored ones about the rest."""

    def __init__(self, declared: Sequence[Declared], stored: Callable[[bytes, Answer], None] | None = None) -> None:
        """`stored` looks a digest up and calls the answer later; without it there are only declared tokens."""
        self._declared = tuple(declared)
        self._stored = stored

    def __repr__(self) -> str:
        """Tell what is asked."""
        return f"<Directory {list(self._declared)} stored={self._stored is not None}>"

    def find(self, digest: bytes, answer: Answer, *, is_damaged: bool = False) -> None:
        """See TokenDirectory."""
        for declared in self._declared:
            principal = declared.get(digest)
            if principal is not None:
                answer(principal)
                return
        if is_damaged or self._stored is None:
            answer(None)
        else:
            self._stored(digest, answer)
