"""Who is shown what is used of limits, as the ledger tells it while it is asked for something else."""

from typing import Protocol


class Observing(Protocol):
    """Takes figures. It is called often, and must be quick."""

    def asked(self, account: str, maximum: int, organization: str, used: int) -> None:
        """A worker asked for a lease under this maximum; so much is used."""
        ...

    def used(self, account: str, used: int) -> None:
        """So much is used now."""
        ...


class Nobody:
    """Does not look."""

    def __repr__(self) -> str:
        """Tell what it is."""
        return "<Nobody>"

    def asked(self, account: str, maximum: int, organization: str, used: int) -> None:
        """Take no notice."""

    def used(self, account: str, used: int) -> None:
        """Take no notice."""
