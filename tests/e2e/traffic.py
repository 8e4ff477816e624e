"""Callers who ask on and on while a test does something to the gateway, and what became of each of their requests."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.e2e.polling import PATIENCE, eventually
from tests.e2e.program import TOKEN

LOST = "lost"
"""The connection ended before the answer's head was here …"""
CUT = "cut"
"""… or before its end was."""
HUNG = "hung"
"""No whole answer came in `PATIENCE` seconds."""


class Outcome(NamedTuple):
    """What became of a request. Times are monotonic seconds; `end` is a status, or a word for having none."""

    began: float
    ended: float
    end: int | str
    provider: str = ""
    """As the gateway's fields name it, with the deployment where there is one."""
    attempts: int = 0
    request_id: str = ""
    """As the gateway's fields tell it."""


@dataclass(frozen=True)
class Asking:
    """What is asked."""

    model: str
    stream: bool = False
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def wire(self) -> bytes:
        """The request."""
        body: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": "Hello"}]}
        content = json.dumps(body | ({"stream": True} if self.stream else {})).encode()
        fields = {"Host": "gateway", "Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        fields |= {"Content-Length": str(len(content)), **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode() + content


class Traffic:
    """So many callers at once, each on a connection of its own, who ask again as soon as they are answered."""

    def __init__(self, port: int, askings: Sequence[Asking], *, callers: int = 16, rest: float = 0.0) -> None:
        """Callers take what they ask in turn from `askings`; who did not get it rests for so many seconds."""
        self.outcomes: list[Outcome] = []
        self._port = port
        self._wires = [asking.wire for asking in askings]
        self._callers = callers
        self._rest = rest
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask_all()))

    def __repr__(self) -> str:
        """Tell what came of it so far."""
        return f"<Traffic {dict(self.ends())}>"

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let everyone have the last answer."""
        self.end()

    def end(self) -> None:
        """Ask nothing more, and wait for what is under way."""
        self._is_over.set()
        self._thread.join()

    def go_on(self, requests: int, seconds: float = PATIENCE) -> None:
        """Wait until so many more are answered."""
        wanted = len(self.outcomes) + requests
        eventually(lambda: len(self.outcomes) >= wanted, seconds)

    def go_on_for(self, seconds: float) -> None:
        """Wait until a request that began so many seconds from now has ended."""
        until = time.monotonic() + seconds
        eventually(lambda: self.since(until), seconds + PATIENCE)

    def answer(self, requests: int, seconds: float = PATIENCE) -> None:
        """Wait until so many requests that began from now on are answered with 200."""
        began = time.monotonic()
        eventually(lambda: sum(each.end == 200 for each in self.since(began)) >= requests, seconds)

    def since(self, began: float) -> list[Outcome]:
        """Of the requests that began after this moment, those that have ended."""
        found: list[Outcome] = []
        # In the order of their ends: what ended before began before.
        for outcome in reversed(self.outcomes):
            if outcome.ended < began:
                break
            if outcome.began >= began:
                found.append(outcome)
        return found

    def ends(self) -> Counter[int | str]:
        """How the requests ended so far."""
        return Counter(outcome.end for outcome in list(self.outcomes))

    async def _ask_all(self) -> None:
        await asyncio.gather(*(self._ask_on(number) for number in range(self._callers)))

    async def _ask_on(self, number: int) -> None:
        line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        turn = number
        while not self._is_over.is_set():
            began = time.monotonic()
            head: Mapping[str, str] = {}
            end: int | str = LOST
            try:
                async with asyncio.timeout(PATIENCE):
                    if line is None:
                        line = await asyncio.open_connection("127.0.0.1", self._port)
                    reader, writer = line
                    writer.write(self._wires[turn % len(self._wires)])
                    status, head = _read_head(await reader.readuntil(b"\r\n\r\n"))
                    end = CUT
                    await _read_body(reader, head)
                    end = status
            except TimeoutError:
                end = HUNG
            except (OSError, asyncio.IncompleteReadError):
                # `end` says how far it came.
                pass
            self.outcomes.append(_outcome(began, end, head))
            turn += 1
            if line is not None and (isinstance(end, str) or head.get("connection") == "close"):
                line[1].close()
                line = None
            if end != 200 and self._rest:
                await asyncio.to_thread(self._is_over.wait, self._rest)
        if line is not None:
            line[1].close()


def _outcome(began: float, end: int | str, head: Mapping[str, str]) -> Outcome:
    provider, deployment = head.get("x-gateway-provider", ""), head.get("x-gateway-deployment", "")
    who = f"{provider}/{deployment}" if deployment else provider
    attempts, request_id = int(head.get("x-gateway-attempts", "0")), head.get("x-request-id", "")
    return Outcome(began, time.monotonic(), end, who, attempts, request_id)


def _read_head(data: bytes) -> tuple[int, Mapping[str, str]]:
    first, *lines = data.decode("latin-1").rstrip("\r\n").split("\r\n")
    return int(first[9:12]), {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def _read_body(reader: asyncio.StreamReader, head: Mapping[str, str]) -> None:
    """Read to its end. Raises IncompleteReadError where it is cut, be it by an event of the gateway's own."""
    if "content-length" in head:
        await reader.readexactly(int(head["content-length"]))
        return
    last = data = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        data = (await reader.readexactly(size + 2))[:-2]
        last = (last + data)[-200:]
    await reader.readexactly(2)
    if not last.endswith(b"data: [DONE]\n\n") or b'"error"' in data:
        raise asyncio.IncompleteReadError(last, None)
