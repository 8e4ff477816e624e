"""How many unknown credentials one address may have looked up: a bucket for each, and only so many buckets.

Whoever guesses tokens makes a question of each guess. The questions of one address are bounded here; credentials that
this worker knows, or knew before it was told to look again, never come this way.
"""

from ipaddress import AddressValueError, IPv6Address

BURST = 256
"""Lookups at once: after a restart, all callers behind one address are unknown. Answered ones that turn out to be
callers are given back, so an honest crowd is held up only where this many questions are open at the same time."""
PER_SECOND = 10.0
LARGEST = 4_096
"""Addresses told apart; beyond them the rest share one bucket, until some have been quiet long enough."""

_REST = ""


class Strangers:
    """Token buckets by client address. An address is there only while its bucket is not full."""

    __slots__ = ("_full_at",)

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._full_at: dict[str, float] = {}

    def __repr__(self) -> str:
        """Tell how many addresses are told apart."""
        return f"<Strangers {len(self._full_at)}>"

    def take(self, address: str, now: float) -> float:
        """Take one lookup out of the bucket: 0.0, or, where it is empty, in how many seconds there will be one."""
        address = self._bucket(address)
        full_at = max(self._full_at.get(address, now), now)
        wait = full_at - now - (BURST - 1) / PER_SECOND
        # A billionth of a second is the clock's rounding, not a reason to wait.
        if wait > 1e-9:
            return wait
        self._full_at[address] = full_at + 1 / PER_SECOND
        return 0.0

    def give_back(self, address: str) -> None:
        """Put one back: it was no stranger."""
        address = self._bucket(address)
        if address in self._full_at:
            self._full_at[address] -= 1 / PER_SECOND

    def sweep(self, now: float) -> None:
        """Forget the addresses whose buckets are full again."""
        for address in [address for address, full_at in self._full_at.items() if full_at <= now]:
            del self._full_at[address]

    def _bucket(self, address: str) -> str:
        if address in self._full_at or len(self._full_at) < LARGEST:
            return address
        return _REST


def network(address: str | None) -> str:
    """Whom an address stands for: itself, or, of IPv6, the /64 that a single customer has (RFC 6177)."""
    if address is None or ":" not in address:
        return address or _REST
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return _REST
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.packed[:8].hex()
