"""Tokens that are about to end: they expire, or wither for want of use.

Rule 1. Each is told once, so many seconds before its end.
Rule 2. One that had no longer than that from the start, or since its last use, is not told: whoever makes tokens for an
        hour does not want to be warned of each. Nor is one that was replaced: its end is meant.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Final

from sluicegate.control.notices.notices import Telling, moment_text
from sluicegate.domain.events import Fact
from sluicegate.domain.principal import Principal
from sluicegate.domain.tenants import Token
from sluicegate.store.tokens import dead_at

STEP: Final = 500
"""Tokens of one reading: some ten milliseconds."""
AFRESH: Final = 3_600_000
"""Milliseconds after which all are looked at once more: a token's end may have been moved nearer."""
FURTHEST: Final = 253_402_300_799_999
"""The last moment that can be written, in 9999: nothing is looked for behind it."""

Reading = Callable[[int, str | None, int, int], Awaitable[Sequence[Token]]]
"""As `store.tokens.Tokens.ending`."""


class Withering:
    """Looks at the tokens of a database, and of the configuration."""

    __slots__ = ("_afresh_at", "_ahead", "_declared", "_notices", "_now", "_read", "_seen")

    def __init__(
        self,
        read: Reading,
        notices: Telling,
        *,
        declared: Callable[[], Iterable[Principal]],
        ahead: Callable[[], float],
        now: Callable[[], int],
    ) -> None:
        """`ahead` gives how many seconds before the end to warn, 0 for never; `now` is Unix milliseconds."""
        self._read = read
        self._notices = notices
        self._declared = declared
        self._ahead = ahead
        self._now = now
        self._seen = 0
        self._afresh_at = 0

    def __repr__(self) -> str:
        """Tell up to which end all were looked at, Unix milliseconds."""
        return f"<Withering seen={self._seen}>"

    async def look(self) -> None:
        """Tell of those that have come within reach since the last look. Raises what reading raises."""
        ahead = int(min(self._ahead() * 1000, FURTHEST))
        if not ahead:
            return
        now = self._now()
        until = min(now + ahead, FURTHEST)
        if now >= self._afresh_at:
            self._seen, self._afresh_at = now, now + AFRESH
        async for token in self._ending(max(now, self._seen), until):
            end = dead_at(token)
            if end is not None and end != token.retires_at and _life(token, end) > ahead:
                self._tell(
                    token.id,
                    token.organization_id,
                    end,
                    {"name": token.name, "project_id": token.project_id, "user_id": token.user_id},
                    reason=_reason(token, end),
                )
        self._seen = max(self._seen, until)
        self._look_at_declared(now, until)

    def _look_at_declared(self, now: int, until: int) -> None:
        for principal in self._declared():
            end = None if principal.expires_at is None else int(principal.expires_at * 1000)
            if end is not None and now < end <= until and principal.is_active:
                facts: dict[str, Fact] = {
                    "name": principal.name,
                    "project_id": principal.project_id,
                    "user_id": principal.user_id,
                }
                self._tell(principal.token_id, principal.organization_id, end, facts, reason="expires")

    async def _ending(self, after: int, until: int) -> AsyncIterator[Token]:
        last: str | None = None
        while found := await self._read(after, last, until, STEP):
            for token in found:
                yield token
            after, last = dead_at(found[-1]) or until, found[-1].id

    def _tell(self, token_id: str, organization_id: str, end: int, facts: dict[str, Fact], *, reason: str) -> None:
        occasion = f"withering|{token_id}|{end}"
        if self._notices.is_new(occasion, end):
            self._notices.tell(
                "token.withering",
                token_id,
                occasion=occasion,
                organization_id=organization_id,
                facts={"reason": reason, "ends_at": moment_text(end), **facts},
            )


def _reason(token: Token, end: int) -> str:
    return "expires" if end == token.expires_at else "unused"


def _life(token: Token, end: int) -> int:
    """Milliseconds that it had, from the start or since its last use."""
    return end - token.created_at if end == token.expires_at else (token.idle_seconds or 0) * 1000
