"""Whose token a digest belongs to."""

from collections.abc import Callable, Mapping
from typing import Protocol

from sluicegate.domain.principal import Principal

Answer = Callable[[Principal | None], None]


class TokenDirectory(Protocol):
    """Knows the tokens of this installation."""

    def find(self, digest: bytes, answer: Answer) -> None:
        """Call `answer` with the principal of the digest, None if it has none; at once, or later in the loop."""
        ...


class DeclaredTokens:
    """The tokens that the configuration declares."""

    def __init__(self, tokens: Mapping[bytes, Principal]) -> None:
        """Begin with these."""
        self._tokens = tokens

    def __repr__(self) -> str:
        """Tell how many."""
        return f"<DeclaredTokens {len(self._tokens)}>"

    def find(self, digest: bytes, answer: Answer) -> None:
        """Answer at once."""
        answer(self._tokens.get(digest))

    def replace(self, tokens: Mapping[bytes, Principal]) -> tuple[bytes, ...]:
        """Take these from now on; return the digests that mean something else than before, to be forgotten."""
        old, self._tokens = self._tokens, tokens
        return tuple(digest for digest in old.keys() | tokens.keys() if old.get(digest) != tokens.get(digest))
