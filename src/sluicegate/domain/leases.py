"""Leases: what a ledger's account does with each operation, as functions over values.

An account has what was used, by slot of its window, and the leases of its holders. A holder is one incarnation of one
worker. All figures of a lease are cumulative over the holder's life, so that a message that is lost, repeated or late
changes nothing: outstanding is `granted - settled - returned`, and never below zero.

Rule 1. Nothing is granted but what is free: the maximum, less what was used, less what all holders have set aside.
Rule 2. A lease that has expired counts for as long as what it may have been spent on would: its holder may be cut off,
        or dead and its journal not read yet. So nothing is sold twice. Then it has lapsed, and never counts again: its
        holder gets nothing more until all of it is settled or returned.
Rule 3. Not so where requests at the same time are counted: there what has expired is free, and comes back with its
        holder.
Rule 4. What a lease covers is charged no later than the lease was good for; more than that, to when it was used.
"""

from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from sluicegate.domain import windows
from sluicegate.domain.limits import Lifetime, Window, parts_of


class Lease(Struct, frozen=True, omit_defaults=True):
    """What a holder was given of an account. `position` is how far its journal was settled here.

    `expires_at` is in Unix milliseconds of the ledger's clock. A closed one, whose holder is dead, is kept for its
    position: a message that is repeated must not charge again.
    """

    granted: int = 0
    settled: int = 0
    returned: int = 0
    position: int = 0
    expires_at: int = 0
    is_closed: bool = False

    @property
    def outstanding(self) -> int:
        """What is set aside."""
        return max(0, self.granted - self.settled - self.returned)


class Account(Struct, frozen=True, omit_defaults=True):
    """The state of one account: `slots` by number, `leases` by holder; `seen_at` is the latest time it has seen."""

    slots: dict[int, int] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    seen_at: int = 0


class Ask(Struct, frozen=True):
    """Set aside up to `wanted` units for a holder: at least `needed`, or none.

    `seen` is the sum of all grants the holder knows of: where more was granted, a reply was lost, and that is what it
    gets now. `returned` is the sum of all it gave back. With `wanted` 0 it only returns and renews. The lease is
    renewed until `expires_at`; an Ask that comes later than that only returns.
    """

    account: str
    holder: str
    maximum: int
    seen: int
    needed: int
    wanted: int
    returned: int
    expires_at: int


class Settle(Struct, frozen=True):
    """Charge what a holder's journal tells: `amount` used at `at` (Unix milliseconds), for which `leased` units of its
    lease are over.

    Applies only where the account has settled the holder's journal up to `since` exactly; then it has up to `position`.
    """

    account: str
    holder: str
    since: int
    position: int
    amount: int
    leased: int
    at: int


class Close(Struct, frozen=True):
    """The holder is dead and its journal settled: what it still held is free, and it gets nothing any more."""

    account: str
    holder: str


class Reset(Struct, frozen=True):
    """Forget what was used in the present window; leases stay."""

    account: str


Operation = Ask | Settle | Close | Reset


class Outcome(Struct, frozen=True):
    """An account after an operation. `granted`, `settled` and `position` are the holder's; `is_applied` is False for a
    `Settle` that did not apply, and for an `Ask` that renewed nothing: it came late, or its lease has lapsed or is
    closed.

    `leased` is what all holders have set aside, the asking one included. `frees_at` is when (Unix milliseconds) enough
    is certain to be free again for what was `needed` and not granted, or where nothing was, when the window ends or its
    oldest slot leaves; None where that is never. `now` is the ledger's time.
    """

    account: str
    used: int
    leased: int
    granted: int
    position: int
    frees_at: int | None
    now: int
    is_applied: bool = True
    settled: int = 0


class Balance(Struct, frozen=True):
    """What an account shows: used in the present window, set aside, when the window began and when it ends.

    For a rolling window these are the start of the oldest slot that counts and the moment it ceases to count; None
    where there is none.
    """

    account: str
    used: int
    leased: int
    began_at: int | None
    ends_at: int | None


class Held(Struct, frozen=True):
    """A lease, with whose and of what."""

    account: str
    holder: str
    lease: Lease


STANDSTILL = 3_600_000
"""Milliseconds by which the clock may be put back without an account's time following it: as much as two servers may be
apart of which one takes the other's place. More than that was a wrong clock, whose time nobody waits for: until it
came, what is charged would lie before the window and count for nothing."""
REMEMBERED = 7 * 86_400_000
"""Milliseconds for which a lease is kept after nothing charged to it counts any longer: until then a message may be
repeated, or a holder come back, and everything is as it was."""

_NONE = Lease()


class _Present(NamedTuple):
    """A moment of an account. `window` is None where requests at the same time are counted: they are never used up.

    `since` is the earliest moment that counts, or at which a lease may expire to count.
    """

    window: Window | None
    now: int
    since: int


def apply(name: str, account: Account, operation: Operation, now: int) -> tuple[Account, Outcome]:
    """An account after an operation at this moment (Unix milliseconds), and what came of it.

    An account's time does not run backwards, but by more than `STANDSTILL`: for a `now` that is earlier by less, the
    latest one that it has seen is taken. What does not count any longer is dropped on the way. Raises WindowError where
    `name` is not that of an account.
    """
    present = _present(name, account, now)
    account = _pruned(present, account)
    is_applied, short = True, 0
    match operation:
        case Ask():
            account, is_applied, short = _asked(present, account, operation)
        case Settle():
            account, is_applied = _settled(present, account, operation)
        case Close():
            account = _closed(present, account, operation)
        case Reset():
            account = replace(account, slots={})
    lease = _NONE if isinstance(operation, Reset) else account.leases.get(operation.holder, _NONE)
    return account, Outcome(
        account=name,
        used=_used(account),
        leased=_leased(present, account),
        granted=lease.granted,
        position=lease.position,
        frees_at=_frees_at(present, account, short),
        now=present.now,
        is_applied=is_applied,
        settled=lease.settled,
    )


def balance(name: str, account: Account, now: int) -> Balance:
    """What an account shows at this moment (Unix milliseconds). Raises WindowError where `name` is not that of one."""
    present = _present(name, account, now)
    account = _pruned(present, account)
    ends_at = _frees_at(present, account, 0)
    began_at = None
    if present.window is not None and ends_at is not None:
        began_at = min((windows.began_at(present.window, slot) for slot in account.slots), default=present.since)
    return Balance(
        account=name, used=_used(account), leased=_leased(present, account), began_at=began_at, ends_at=ends_at
    )


def _present(name: str, account: Account, now: int) -> _Present:
    window = _window(name)
    if now < account.seen_at <= now + STANDSTILL:
        now = account.seen_at
    return _Present(window, now, now + 1 if window is None else windows.counts_from(window, now))


def _asked(present: _Present, account: Account, ask: Ask) -> tuple[Account, bool, int]:
    """The account, whether the lease was renewed, and how many units must become free for what is needed."""
    lease = account.leases.get(ask.holder, _NONE)
    if lease.is_closed:
        return account, False, 0
    lease = _told(lease, ask)
    is_late = ask.expires_at <= present.now
    has_lapsed = present.window is not None and lease.expires_at < present.since
    if has_lapsed and not is_late:
        # What the holder has not heard of yet it must not begin to spend now.
        lease = replace(lease, granted=min(lease.granted, ask.seen))
    if is_late or (has_lapsed and lease.outstanding):
        return _with(account, ask.holder, lease), False, 0
    lease = replace(lease, expires_at=max(lease.expires_at, ask.expires_at))
    account = _with(account, ask.holder, lease)
    free = ask.maximum - _used(account) - _leased(present, account)
    unseen = lease.granted - ask.seen
    needed = max(0, ask.needed - unseen)
    if free < needed:
        return account, True, needed - free
    # Of little, only a part: the others shall not wait for what this one does not use.
    more = max(needed, min(ask.wanted - unseen, free // 4))
    if more > 0:
        account = _with(account, ask.holder, replace(lease, granted=lease.granted + more))
    return account, True, 0


def _told(lease: Lease, ask: Ask) -> Lease:
    """A lease, with what its holder tells of it.

    A holder may know of more than the ledger does. Where the ledger knows of nothing, it has forgotten a lease that was
    over. Where it has lost some of its last steps, the holder is right.
    """
    if not lease.granted:
        return replace(lease, granted=ask.seen, returned=ask.returned, settled=max(0, ask.seen - ask.returned))
    return replace(lease, granted=max(lease.granted, ask.seen), returned=max(lease.returned, ask.returned))


def _settled(present: _Present, account: Account, settle: Settle) -> tuple[Account, bool]:
    """The account, and whether the charge was applied."""
    lease = account.leases.get(settle.holder, _NONE)
    if lease.position != settle.since:
        return account, False
    over = min(settle.leased, lease.outstanding)
    covered = min(settle.amount, over)
    at = min(settle.at, present.now)
    account = _charged(present, account, covered, min(at, lease.expires_at))
    account = _charged(present, account, settle.amount - covered, at)
    lease = replace(lease, position=settle.position, settled=lease.settled + over)
    if not lease.outstanding:
        # Nothing is left that could expire: from now on it is for what was charged that it is kept.
        lease = replace(lease, expires_at=max(lease.expires_at, present.now))
    return _with(account, settle.holder, lease), True


def _charged(present: _Present, account: Account, amount: int, at: int) -> Account:
    """The account with so much more used at a moment, where that still counts."""
    if present.window is None or amount <= 0 or at < present.since:
        return account
    slot = windows.slot_of(present.window, at)
    return replace(account, slots={**account.slots, slot: account.slots.get(slot, 0) + amount})


def _closed(present: _Present, account: Account, close: Close) -> Account:
    lease = account.leases.get(close.holder)
    if lease is None or lease.is_closed:
        return account
    closed = replace(lease, returned=lease.granted - lease.settled, expires_at=present.now, is_closed=True)
    return _with(account, close.holder, closed)


def _with(account: Account, holder: str, lease: Lease) -> Account:
    """The account with this lease, or without one where there is nothing in it to remember."""
    if not (lease.granted or lease.position):
        return replace(account, leases={other: its for other, its in account.leases.items() if other != holder})
    return replace(account, leases={**account.leases, holder: lease})


def _pruned(present: _Present, account: Account) -> Account:
    """The account as of this moment, without what can make no difference any more."""
    window = present.window
    slots = {} if window is None else windows.counting(window, account.slots, present.now)
    leases = {holder: lease for holder, lease in account.leases.items() if not _is_over(present, lease)}
    return Account(slots=slots, leases=leases, seen_at=present.now)


def _is_over(present: _Present, lease: Lease) -> bool:
    """Whether a lease may be forgotten."""
    if isinstance(present.window, Lifetime):
        # Charges count for ever, and so does what may have been spent; but no message is repeated as long as that.
        return not lease.outstanding and lease.expires_at < present.now - REMEMBERED
    return lease.expires_at < present.since - REMEMBERED


def _used(account: Account) -> int:
    """Of an account without slots that do not count."""
    return sum(account.slots.values())


def _leased(present: _Present, account: Account) -> int:
    """What is set aside for all holders."""
    return sum(lease.outstanding for lease in account.leases.values() if lease.expires_at >= present.since)


def _frees_at(present: _Present, account: Account, short: int) -> int | None:
    """When this many units more are certain to be free; for none, when the window ends or its oldest slot leaves.

    What is set aside is taken to be spent at the last moment it may be: only its holder can tell better.
    """
    window, now, since = present
    if not short:
        return None if window is None else windows.ends_at(window, account.slots, now)
    leaves = [] if window is None else windows.leaving(window, account.slots, now)
    for lease in account.leases.values():
        if lease.outstanding and lease.expires_at >= since:
            moment = lease.expires_at if window is None else windows.leaves_at(window, lease.expires_at)
            if moment is not None:
                leaves.append((moment, lease.outstanding))
    return windows.frees_at(leaves, short)


@lru_cache(maxsize=4096)
def _window(name: str) -> Window | None:
    """An account's window; None where it counts requests at the same time."""
    _, metric, window = parts_of(name)
    return None if metric == "concurrency" else window
