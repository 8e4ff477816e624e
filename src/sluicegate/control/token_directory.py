"""Whose token a digest belongs to: what files declare of it, and what the database has of it and its owners."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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

    def by_id(self, token_id: str) -> Principal | None:
        """The principal with this id, None if there is none."""
        ...

    def owned_by(self, owners: Collection[str]) -> list[bytes]:
        """The digests of those tokens that belong to one of these organisations, projects and users, or are one."""
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

    def by_id(self, token_id: str) -> Principal | None:
        """The principal with this id, None if there is none."""
        return next((principal for principal in self._tokens.values() if principal.token_id == token_id), None)

    def owned_by(self, owners: Collection[str]) -> list[bytes]:
        """The digests of those tokens that belong to one of these organisations, projects and users, or are one."""
        return [digest for digest, principal in self._tokens.items() if is_owned_by(principal, owners)]

    def find(self, digest: bytes, answer: Answer, *, is_damaged: bool = False) -> None:
        """Answer at once: a directory by itself, where nothing is stored."""
        answer(self._tokens.get(digest))

    def replace(self, tokens: Mapping[bytes, Principal]) -> tuple[bytes, ...]:
        """Take these from now on; return the digests that mean something else than before, to be forgotten."""
        old, self._tokens = self._tokens, tokens
        return tuple(digest for digest in old.keys() | tokens.keys() if old.get(digest) != tokens.get(digest))


class Directory:
    """Knows what files declare, and has the database asked about these tokens' owners, and about all other tokens."""

    def __init__(self, declared: Sequence[Declared], stored: Callable[[bytes, Answer], None] | None = None) -> None:
        """`stored` looks a digest up and calls the answer later; without it there are only declared tokens, as their
        files have them. Of several files the first that declares a token counts."""
        self._declared = tuple(declared)
        self._stored = stored

    def __repr__(self) -> str:
        """Tell what is asked."""
        return f"<Directory {list(self._declared)} stored={self._stored is not None}>"

    def find(self, digest: bytes, answer: Answer, *, is_damaged: bool = False) -> None:
        """See TokenDirectory."""
        principal = declared_in(self._declared, digest)
        if self._stored is None or (principal is None and is_damaged):
            answer(principal)
        else:
            self._stored(digest, answer)


def declared_in(files: Iterable[Declared], digest: bytes) -> Principal | None:
    """The principal of a digest by the first file that declares it; None if none does."""
    return next(filter(None, (declared.get(digest) for declared in files)), None)


def declared_with_id(files: Iterable[Declared], token_id: str) -> Principal | None:
    """The principal with this id by the first file that declares it; None if none does."""
    return next(filter(None, (declared.by_id(token_id) for declared in files)), None)


def is_owned_by(principal: Principal, owners: Collection[str]) -> bool:
    """Whether it belongs to one of these organisations, projects and users, or is one of these tokens."""
    return (
        principal.organization_id in owners
        or principal.project_id in owners
        or principal.user_id in owners
        or principal.token_id in owners
    )
