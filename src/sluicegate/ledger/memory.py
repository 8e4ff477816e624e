"""A ledger in memory: the model with which the other adapters are compared, and all that a test of its users needs."""

from collections.abc import Callable, Sequence

from sluicegate.domain.leases import Account, Balance, Held, Operation, Outcome, apply, balance


class MemoryLedger:
    """It forgets everything when it goes."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """`clock` tells Unix milliseconds."""
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    def __repr__(self) -> str:
        """Tell how much is in it."""
        return f"<MemoryLedger of {len(self._accounts)} accounts>"

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply a batch; the outcomes are in the operations' order."""
        now = self._clock()
        accounts: dict[str, Account] = {}
        outcomes: list[Outcome] = []
        for operation in operations:
            name = operation.account
            before = accounts.get(name) or self._accounts.get(name) or Account()
            accounts[name], outcome = apply(name, before, operation, now)
            outcomes.append(outcome)
        # All or nothing, as everywhere: one of them might not have been an operation on an account.
        self._accounts.update(accounts)
        return outcomes

    async def look(self, accounts: Sequence[str]) -> list[Balance]:
        """Each account's balance as of now; an unknown one is empty."""
        now = self._clock()
        return [balance(name, self._accounts.get(name, Account()), now) for name in accounts]

    async def held(self, node: str) -> list[Held]:
        """All leases of a node's holders."""
        return [
            Held(name, holder, lease)
            for name, account in sorted(self._accounts.items())
            for holder, lease in sorted(account.leases.items())
            if holder.startswith(f"{node}/")
        ]

    async def close(self) -> None:
        """There is nothing to let go of."""
