"""Tokens that files declare, with what the database says of their owners, now or when it was asked last."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from sluicegate.control.tenants.declared import Said
from sluicegate.control.token_directory import Declared, declared_in
from sluicegate.domain.principal import Principal

AskOwners = Callable[[Collection[Principal]], Awaitable[Sequence[Said]]]
"""What the database says of each of these, in their order. Raises one of `trouble.FAILURES`."""


async def nothing_said(principals: Collection[Principal]) -> list[Said]:
    """Where no database knows an owner."""
    return [Said(()) for _ in principals]


class BoundTokens:
    """The declared tokens of this node, bounded by their owners."""

    def __init__(self, files: Sequence[Declared], ask: AskOwners) -> None:
        """Of several files the first that declares a token counts."""
        self._files = tuple(files)
        self._ask = ask
        self._said: dict[bytes, Said] = {}

    def __repr__(self) -> str:
        """Tell how many were asked for."""
        return f"<BoundTokens asked={len(self._said)}>"

    def known(self, digest: bytes) -> Principal | None:
        """A declared token as far as is known without asking; None where no file declares it."""
        principal = declared_in(self._files, digest)
        said = self._said.get(digest)
        return principal if principal is None or said is None else said.of(principal)

    async def find(self, digests: Sequence[bytes]) -> Mapping[bytes, Principal]:
        """Those of these that are declared. Raises what asking raises."""
        principals = {digest: principal for digest in digests if (principal := declared_in(self._files, digest))}
        if not principals:
            return {}
        # What files say may change meanwhile: then it is announced, and this answer is not passed on.
        said = await self._ask(principals.values())
        self._said.update(zip(principals, said, strict=True))
        return {digest: self._said[digest].of(principal) for digest, principal in principals.items()}

    def concerned(self, owners: frozenset[str]) -> list[bytes]:
        """The digests of those that a change of one of these owners concerns."""
        if not owners:
            return []
        for digest in [digest for digest in self._said if declared_in(self._files, digest) is None]:
            del self._said[digest]
        found = [digest for file in self._files for digest in file.owned_by(owners)]
        # A user's budget is of the calendar of the user's own organisation.
        return found + [digest for digest, said in self._said.items() if said.user_organization in owners]
