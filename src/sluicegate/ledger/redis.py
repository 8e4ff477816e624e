"""A ledger in Redis or Valkey, one server or a cluster: each account a hash, each batch one round trip per node.

Rule 1. What operations mean to an account happens in one script, `ledger.lua`, after `domain/leases.py`.
Rule 2. Every node has an index of the leases it may have. An entry is there before its lease, so it never lacks one; it
        goes when the lease is surely forgotten.
Rule 3. What nothing depends on any more expires: an account whose window and leases are over, an index without entries.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.resources import files

from sluicegate.config.redis_address import parse
from sluicegate.config.redis_client import Command
from sluicegate.domain.leases import Ask, Balance, Close, Held, Operation, Outcome, Settle
from sluicegate.domain.limits import Lifetime
from sluicegate.ledger import redis_script
from sluicegate.ledger.interface import LedgerUnavailableError
from sluicegate.ledger.redis_server import RedisServer

_PREFIX = "sluicegate"
_SLACK = 3_600_000
"""Milliseconds that an entry of an index stays longer than it must, so that it is not written anew with every Ask."""
_TRUSTED = 60.0
"""Seconds for which an entry of an index is taken to be where it was written. A connection that broke while it lay idle
is made anew by the library, without a word, and it may be another server that has taken over meanwhile."""
_FOR_EVER = 2**53 - 1
"""A moment that a sorted set can tell exactly."""
_MOMENTS = 12
"""So many windows that it did not know a script may ask for. Two are usual, where a day ends during a batch."""
_CHUNK = 1000


class RedisLedger:
    """All nodes with the same address and prefix share one; its clock is the server's own."""

    def __init__(
        self, url: str, *, prefix: str = _PREFIX, timeout: float = 5.0, clock: Callable[[], int] | None = None
    ) -> None:
        """`clock` tells Unix milliseconds instead of the server. What takes longer than `timeout` seconds has failed.

        Raises RedisAddressError; nothing is connected yet.
        """
        self._server = RedisServer(parse(url), timeout=timeout)
        self._timeout = timeout
        self._prefix = prefix
        self._clock = clock
        self._accounts = _Script("ledger.lua")
        self._index = _Script("redis_held.lua")
        self._indexed: dict[tuple[str, str], int] = {}
        self._failures = 0
        self._doubted_at = float("-inf")
        self._swept = 0
        self._learned: tuple[int, float] | None = None

    def __repr__(self) -> str:
        """Tell where it is, without the password."""
        return f"<RedisLedger in {self._server!r}>"

    async def check(self) -> list[str]:
        """Warn of settings of the server under which the ledger could forget.

        Raises UnsuitableServerError, and LedgerUnavailableError when nobody answers.
        """
        return await self._server.check()

    async def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply a batch; the outcomes are in the operations' order. Raises LedgerUnavailableError, WindowError."""
        by_account: dict[str, list[int]] = {}
        for place, operation in enumerate(operations):
            by_account.setdefault(operation.account, []).append(place)
        batches = {name: [operations[place] for place in places] for name, places in by_account.items()}
        async with self._bounded():
            await self._note(operations)
            replies = await self._evaluate(batches)
        outcomes: dict[int, Outcome] = {}
        for name, places in by_account.items():
            outcomes.update(zip(places, redis_script.outcomes(name, replies[name]), strict=True))
        if outcomes:
            self._learned = max(outcome.now for outcome in outcomes.values()), self._elapsed()
        # What this does not reach stays in an index, which does no harm; that the batch was applied is what counts.
        with suppress(LedgerUnavailableError):
            await self._note_closed(operations)
        return [outcomes[place] for place in range(len(operations))]

    async def look(self, accounts: Sequence[str]) -> list[Balance]:
        """Each account's balance as of now; an unknown one is empty. Raises LedgerUnavailableError, WindowError."""
        async with self._bounded():
            replies = await self._evaluate({name: [None] for name in accounts})
        return [redis_script.balance(name, replies[name]) for name in accounts]

    async def held(self, node: str) -> list[Held]:
        """All leases of a node's holders, closed ones too. Raises LedgerUnavailableError."""
        [members] = await self._server.run([("ZRANGE", self._index_of(node), 0, -1)])
        holders: dict[str, list[str]] = {}
        for member in sorted(members):
            account, _, holder = member.partition("\n")
            if holder.startswith(f"{node}/"):
                holders.setdefault(account, []).append(holder)
        names = list(holders)
        found = []
        for start in range(0, len(names), _CHUNK):
            chunk = names[start : start + _CHUNK]
            replies = await self._server.run(
                [("HMGET", self._key(name), *(f"l:{holder}" for holder in holders[name])) for name in chunk]
            )
            for name, texts in zip(chunk, replies, strict=True):
                for holder, text in zip(holders[name], texts, strict=True):
                    if text is not None:
                        found.append(Held(name, holder, redis_script.lease(text)))
        return found

    async def close(self) -> None:
        """Let go of all connections."""
        await self._server.close()

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        """All round trips of a batch together take no longer than one may."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except TimeoutError as error:
            raise LedgerUnavailableError(f"{self._server!r}: no answer in time") from error

    async def _evaluate(self, batches: Mapping[str, Sequence[Operation | None]]) -> dict[str, list[str]]:
        """Run the script on each account, again with one more window where it lacks one."""
        replies: dict[str, list[str]] = {}
        waiting = {name: self._moments(operations) for name, operations in batches.items()}
        clock = "" if self._clock is None else str(self._clock())
        for _ in range(_MOMENTS):
            commands = [
                self._accounts.command(
                    self._key(name),
                    redis_script.arguments(name, batches[name], clock=clock, moments=moments),
                )
                for name, moments in waiting.items()
            ]
            answers = zip(list(waiting), await self._server.run(commands, script=self._accounts.text), strict=True)
            for name, reply in answers:
                moment = redis_script.lacking(reply)
                if moment is None:
                    replies[name] = reply
                    del waiting[name]
                else:
                    waiting[name].add(moment)
            if not waiting:
                return replies
        raise LedgerUnavailableError(
            f"{self._server!r}: the leases of {next(iter(waiting))} expire in too many windows"
        )

    def _moments(self, operations: Iterable[Operation | None]) -> set[int]:
        """Those whose windows the script will probably want to know."""
        now = self._now()
        if now is None:
            return set()
        expiries = (operation.expires_at for operation in operations if isinstance(operation, Ask))
        return {now, *(moment for moment in expiries if abs(moment - now) < _SLACK)}

    async def _note(self, operations: Iterable[Operation]) -> None:
        """Write into the indexes what leases these may make."""
        if self._server.failures != self._failures or self._elapsed() - self._doubted_at > _TRUSTED:
            # Another server may have taken over, and not have the last entries.
            self._failures, self._doubted_at = self._server.failures, self._elapsed()
            self._indexed.clear()
        now = await self._certain_now()
        entries: dict[tuple[str, str], int] = {}
        for operation in operations:
            if not isinstance(operation, Ask | Settle):
                continue
            until = max(now, operation.expires_at) if isinstance(operation, Ask) else now
            moment = redis_script.remembered(redis_script.window_of(operation.account), until)
            pair = operation.account, operation.holder
            moment = _FOR_EVER if moment is None else min(moment, _FOR_EVER)
            if self._indexed.get(pair, -1) < moment:
                entries[pair] = max(min(moment + _SLACK, _FOR_EVER), entries.get(pair, 0))
        await self._write_index(entries, "GT", now)
        self._indexed.update(entries)
        self._sweep(now)

    async def _note_closed(self, operations: Iterable[Operation]) -> None:
        """Let go of the entries that would have stayed for ever."""
        now = await self._certain_now()
        entries = {}
        for operation in operations:
            if isinstance(operation, Close) and isinstance(redis_script.window_of(operation.account), Lifetime):
                pair = operation.account, operation.holder
                entries[pair] = (redis_script.remembered(None, now) or 0) + _SLACK
                self._indexed.pop(pair, None)
        await self._write_index(entries, "XX", now)

    async def _write_index(self, entries: dict[tuple[str, str], int], manner: str, now: int) -> None:
        by_node: dict[str, list[str]] = {}
        for (account, holder), moment in entries.items():
            by_node.setdefault(holder.partition("/")[0], []).extend((str(moment), f"{account}\n{holder}"))
        commands = [
            self._index.command(self._index_of(node), (str(now), manner, *arguments))
            for node, arguments in by_node.items()
        ]
        if commands:
            await self._server.run(commands, script=self._index.text)

    def _sweep(self, now: int) -> None:
        """Forget entries that have ceased to be, whenever there are twice as many."""
        if len(self._indexed) > 2 * self._swept + _CHUNK:
            self._indexed = {pair: moment for pair, moment in self._indexed.items() if moment >= now}
            self._swept = len(self._indexed)

    async def _certain_now(self) -> int:
        """Now, in Unix milliseconds; asked of the server if it has never told yet."""
        now = self._now()
        if now is None:
            [(seconds, microseconds)] = await self._server.run([("TIME",)])
            now = int(seconds) * 1000 + int(microseconds) // 1000
            self._learned = now, self._elapsed()
        return now

    def _now(self) -> int | None:
        """About what the server's clock says, in Unix milliseconds; None as long as it has not been heard of."""
        if self._clock is not None:
            return self._clock()
        if self._learned is None:
            return None
        now, learned_at = self._learned
        return now + int((self._elapsed() - learned_at) * 1000)

    def _elapsed(self) -> float:
        return asyncio.get_running_loop().time()

    def _key(self, account: str) -> str:
        return f"{self._prefix}:account:{account}"

    def _index_of(self, node: str) -> str:
        return f"{self._prefix}:node:{node}"


class _Script:
    """A script of this package."""

    def __init__(self, name: str) -> None:
        self.text = files("sluicegate.ledger").joinpath(name).read_text("utf-8")
        self._digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def command(self, key: str, arguments: Iterable[str]) -> Command:
        """The script on one key."""
        return ("EVALSHA", self._digest, 1, key, *arguments)
