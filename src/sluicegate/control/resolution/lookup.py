"""Questions about stored tokens, answered in batches: one query for all that was asked, by all workers of the node.

Rule 1. A question is answered by a query that began after it was asked, never by one under way.
Rule 2. What is announced while a query is under way makes its answer doubtful: it is asked for once more. So no answer
        leaves here that is older than an announcement that left before it.
Rule 3. While a change is being committed, questions about what it changes are held back.
Rule 4. A database that is slow or away delays answers, at most for as long as a worker waits; then the question is
        dropped. Nobody is told that a token is unknown unless the database said so.
Rule 5. What is known without the database, of tokens that files declare, is told while the database fails; once it
        answers again these tokens are announced, and so asked about anew.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from sluicegate.control.resolution.trouble import FAILURES, Trouble
from sluicegate.control.token_directory import Answer
from sluicegate.domain.principal import Principal

Query = Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, Principal]]]
"""Looks digests up; those that no token has are missing from the answer. Raises one of FAILURES."""

Known = Callable[[bytes], Principal | None]
"""What is known of a digest without the database: None of what no file declares."""

LARGEST_BATCH = 500
"""Digests of one query: some milliseconds of the database's time, so that the next batch does not wait for long."""
QUERY_SECONDS = 4.0
PATIENCE = 5.0
"""Seconds after which a question is dropped: the worker that asked it has given up."""
PAUSE = 0.2
"""Seconds between two attempts at a database that fails."""


class _Question(NamedTuple):
    since: float
    answer: Answer


class StoredTokens:
    """Collects questions and asks the database. `run` must be running for answers to come."""

    def __init__(
        self,
        query: Query,
        *,
        clock: Callable[[], float],
        log: FilteringBoundLogger,
        known: Known = lambda _digest: None,
        announce: Callable[[Sequence[bytes]], None] = lambda _digests: None,
    ) -> None:
        """`clock` is monotonic seconds; `known` is what is told while the database fails, `announce` has workers ask
        again."""
        self._query = query
        self._known = known
        self._announce = announce
        self._is_away = False
        self._makeshift: set[bytes] = set()
        self._clock = clock
        self._trouble = Trouble("tokens cannot be looked up", log)
        self._waiting: dict[bytes, list[_Question]] = {}
        self._due = asyncio.Event()
        self._doubted: set[bytes] = set()
        self._doubts_all = False
        self._held: Counter[bytes] = Counter()
        self._holds_all = 0

    def __repr__(self) -> str:
        """Tell how much waits, how much is held back, and what is wrong, if anything."""
        held = "all" if self._holds_all else len(self._held)
        return f"<StoredTokens waiting={len(self._waiting)} held={held} {self._trouble}>"

    def find(self, digest: bytes, answer: Answer) -> None:
        """Call `answer` with the principal of the digest, or None, later in the loop."""
        question = _Question(self._clock(), answer)
        if not (self._is_away and self._makes_do(digest, [question])):
            self._waiting.setdefault(digest, []).append(question)
            self._due.set()

    def doubt(self, digests: Sequence[bytes] | None) -> None:
        """These have changed, or all: what a query under way says of them is not to be passed on."""
        if digests is None:
            self._doubts_all = True
        else:
            self._doubted.update(digests)

    def hold(self, digests: Sequence[bytes] | None) -> None:
        """Answer nothing about these, or about any, until `release`."""
        if digests is None:
            self._holds_all += 1
        else:
            self._held.update(digests)

    def release(self, digests: Sequence[bytes] | None) -> None:
        """Answer again, unless somebody else holds them too."""
        if digests is None:
            self._holds_all -= 1
        else:
            self._held -= Counter(digests)
        self._due.set()

    async def run(self, *, pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(PAUSE)) -> None:
        """Answer for ever."""
        while True:
            await self._due.wait()
            self._due.clear()
            if not await self.answer():
                self._due.set()
                await pause()

    async def answer(self) -> bool:
        """Ask the database once about what waits; return whether it could say anything."""
        self._drop_late()
        batch = [digest for digest in self._waiting if not self._is_held(digest)][:LARGEST_BATCH]
        taken = {digest: self._waiting.pop(digest) for digest in batch}
        if not batch:
            # One that nobody waits for tells as well whether the database answers again.
            batch = list(self._makeshift)[:1]
        if not batch:
            return True
        self._doubted.clear()
        self._doubts_all = False
        found: Mapping[bytes, Principal] | None = None
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                found = await self._query(batch)
        except FAILURES as error:
            self._trouble.began(error)
        else:
            self._trouble.ended()
        self._is_away = found is None
        for digest, questions in taken.items():
            if found is None and self._makes_do(digest, questions):
                continue
            if found is None or self._is_doubtful(digest):
                self._waiting[digest] = questions + self._waiting.get(digest, [])
            else:
                principal = found.get(digest)
                for question in questions:
                    question.answer(principal)
        if any(not self._is_held(digest) for digest in self._waiting):
            self._due.set()
        if found is not None and self._makeshift:
            makeshift, self._makeshift = list(self._makeshift), set()
            self._announce(makeshift)
        return found is not None

    def _makes_do(self, digest: bytes, questions: Sequence[_Question]) -> bool:
        """Answer with what is known without the database, if anything is; never within a change of it."""
        principal = None if self._is_held(digest) else self._known(digest)
        if principal is None:
            return False
        self._makeshift.add(digest)
        for question in questions:
            question.answer(principal)
        return True

    def _drop_late(self) -> None:
        oldest = self._clock() - PATIENCE
        for digest, questions in list(self._waiting.items()):
            kept = [question for question in questions if question.since >= oldest]
            if kept:
                self._waiting[digest] = kept
            else:
                del self._waiting[digest]

    def _is_held(self, digest: bytes) -> bool:
        return self._holds_all > 0 or digest in self._held

    def _is_doubtful(self, digest: bytes) -> bool:
        return self._doubts_all or digest in self._doubted or self._is_held(digest)
