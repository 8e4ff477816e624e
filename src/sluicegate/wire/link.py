"""Messages between a worker and its control process, and how they are framed on their Unix socket.

A frame is a 4-byte big-endian length and a MessagePack array of messages: each side collects what it has to say in one
turn of its loop and sends it as one frame. A worker speaks first (`Hello`); control answers with the `Configure` of the
moment. Every question carries a `number` unique to its connection, and its answer repeats it; answers may come in any
order. When the connection breaks, unanswered questions are lost and the worker asks again on the next one.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from sluicegate.domain.pricing import Price
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import Snapshot

CircuitState = Literal["closed", "half_open", "open"]
"""Of a deployment: it is asked, it is tried by one request, it is left alone."""

Writing = Literal["writing", "holding", "dropping"]
"""Of a journal: events are written, they are kept in memory until the disk takes them, they are being lost."""

LARGEST_FRAME = 64 * 1024 * 1024
"""Bytes; a peer that announces more is broken and its connection is closed. Room for a batch of the largest held
bodies to be counted."""


class Hello(Struct, frozen=True, tag="hello", array_like=True):
    """Worker to control, first: who I am."""

    worker: int
    pid: int


class Resolve(Struct, frozen=True, tag="resolve", array_like=True):
    """Worker to control: whose token has this SHA-256 digest?

    `is_damaged`: it has the shape of a token of ours, but its checksum is wrong (`domain/issuing.py`). Only a declared
    one can be meant, so the database need not be asked.
    """

    number: int
    digest: bytes
    is_damaged: bool = False


class Count(Struct, frozen=True, tag="count", array_like=True):
    """Worker to control: count the tokens of an exchange whose provider reported none.

    `request` is the request body as sent (empty if unknown), `answer` the JSON answer body, or, where `is_text`, the
    text the model produced. `answer_dropped` is how many bytes of the answer's text were not captured.
    """

    number: int
    dialect: str
    operation: str
    model: str
    request: bytes
    answer: bytes
    is_text: bool
    answer_dropped: int = 0


class Bodies(Struct, frozen=True, tag="bodies", array_like=True):
    """Worker to control: bodies to be kept, or the beginnings of them. No answer comes.

    `at` is Unix milliseconds of the request's start; `answer` the JSON answer, or the text of a stream's events.
    """

    request_id: str
    at: int
    organization_id: str
    project_id: str
    request: bytes
    answer: bytes
    is_request_cut: bool
    is_answer_cut: bool


class AskLease(Struct, frozen=True, array_like=True):
    """What a worker wants of one account: the fields of `domain.leases.Ask` that it knows.

    `organization`, `failure_mode` and `fallback` are for the case that the ledger cannot be asked.
    """

    account: str
    maximum: int
    seen: int
    needed: int
    wanted: int
    returned: int
    organization: str = ""
    failure_mode: str = "closed"
    fallback: int = 0


class Lend(Struct, frozen=True, tag="lend", array_like=True):
    """Worker to control: a batch of what it wants and gives back. `holder` is its journal's incarnation."""

    number: int
    holder: str
    asks: tuple[AskLease, ...]


class AskPrice(Struct, frozen=True, tag="ask_price", array_like=True):
    """Worker to control: what does this provider's model cost an organisation?"""

    number: int
    provider: str
    model: str
    organization: str


class Ready(Struct, frozen=True, tag="ready", array_like=True):
    """Worker to control: I run on snapshot `version` and accept connections."""

    version: int


class DeploymentHealth(Struct, frozen=True, array_like=True):
    """How one deployment fares at one worker. Times are seconds from when it is said.

    `failures` are those in a row. Where it is left alone, `reopens_in` is until one request tries it; `rests_for` is
    until its own limits allow more; 0.0 where neither is so. `busy` are its requests under way, `limit` the most that
    it is given.
    """

    id: str
    state: CircuitState
    failures: int
    reopens_in: float
    rests_for: float
    busy: int
    limit: int


class Health(Struct, frozen=True, tag="health", array_like=True):
    """Worker to control: how these deployments fare now. Those not named are as they were said to be before."""

    deployments: tuple[DeploymentHealth, ...]


class Journal(Struct, frozen=True, tag="journal", array_like=True):
    """Worker to control: how its journal does now. `dropped` are the events that were lost since its process began."""

    state: Writing
    dropped: int


class Configure(Struct, frozen=True, tag="configure", array_like=True):
    """Control to worker: run on this from now on."""

    snapshot: Snapshot


class Resolved(Struct, frozen=True, tag="resolved", array_like=True):
    """Control to worker: the token's principal, or None where no token has this digest."""

    number: int
    principal: Principal | None


class Counted(Struct, frozen=True, tag="counted", array_like=True):
    """Control to worker: tokens counted; `source` is a `domain.usage.UsageSource`."""

    number: int
    input_tokens: int
    output_tokens: int
    source: str


class Feed(Struct, frozen=True, tag="feed", array_like=True):
    """Control to worker: how far the change feed can be believed.

    Every change that was committed before `as_of` has been told on this link, by a `Forget` before this message.
    `as_of` is seconds of the monotonic clock, which all processes of a machine share, so a message that was held up
    says no more than it should. `lease` is for how many seconds after `as_of` an entry may be believed with no more
    than this; infinity where nobody but this control process can change a token.
    """

    as_of: float
    lease: float


class Forget(Struct, frozen=True, tag="forget", array_like=True):
    """Control to worker, the change feed: drop what you know about these digests; with none, about all."""

    digests: tuple[bytes, ...] = ()


class Loan(Struct, frozen=True, array_like=True):
    """What came of one `AskLease`: the fields of `domain.leases.Outcome` that a worker needs, in the asks' order.

    `settled` is what `used` has of the worker's own lease; None where that is all it has taken.
    """

    account: str
    granted: int
    used: int
    leased: int
    frees_at: int | None
    settled: int | None = None


class Lent(Struct, frozen=True, tag="lent", array_like=True):
    """Control to worker: the answer to `Lend`. Leases are good until `valid_until` (monotonic seconds).

    `failure` is empty, or says that the ledger could not be asked; then `loans` are none, or, where the organisation's
    failure mode is open, what it may use all the same (`is_degraded`).
    """

    number: int
    loans: tuple[Loan, ...]
    valid_until: float
    failure: str = ""
    is_degraded: bool = False


class Recall(Struct, frozen=True, tag="recall", array_like=True):
    """Control to worker: others wait for these accounts; give back at once what no request has reserved."""

    accounts: tuple[str, ...]


class Priced(Struct, frozen=True, tag="priced", array_like=True):
    """Control to worker: the answer to `AskPrice`; None where the price is not known."""

    number: int
    price: Price | None


class ForgetPrices(Struct, frozen=True, tag="forget_prices", array_like=True):
    """Control to worker: prices have changed, ask again."""


ToControl = Hello | Resolve | Count | Bodies | Ready | Lend | AskPrice | Health | Journal
ToWorker = Configure | Resolved | Counted | Forget | Feed | Lent | Recall | Priced | ForgetPrices

_encoder = msgspec.msgpack.Encoder()
_to_control = msgspec.msgpack.Decoder(list[ToControl])
_to_worker = msgspec.msgpack.Decoder(list[ToWorker])


class BrokenLinkError(Exception):
    """The peer sent what is not a frame of this protocol; its connection must be closed."""


def frame(messages: Sequence[ToControl] | Sequence[ToWorker]) -> bytes:
    """One frame that carries `messages` in order."""
    body = _encoder.encode(messages)
    return len(body).to_bytes(4, "big") + body


class FrameReader:
    """Cuts a stream of bytes into frames' bodies, whatever the reads' boundaries."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        """Start between two frames."""
        self._buffer = bytearray()

    def __repr__(self) -> str:
        """Tell how much waits for its rest."""
        return f"<FrameReader waiting={len(self._buffer)}>"

    def feed(self, data: bytes) -> list[bytes]:
        """Return the bodies completed by `data`.

        Raises BrokenLinkError where a frame announces more than LARGEST_FRAME bytes.
        """
        buffer = self._buffer
        buffer += data
        bodies: list[bytes] = []
        start = 0
        while len(buffer) - start >= 4:
            length = int.from_bytes(buffer[start : start + 4], "big")
            if length > LARGEST_FRAME:
                raise BrokenLinkError(f"a frame of {length} bytes was announced")
            if len(buffer) - start - 4 < length:
                break
            bodies.append(bytes(buffer[start + 4 : start + 4 + length]))
            start += 4 + length
        del buffer[:start]
        return bodies


def to_control(body: bytes) -> list[ToControl]:
    """Decode a frame's body on control's side. Raises BrokenLinkError."""
    try:
        return _to_control.decode(body)
    except msgspec.MsgspecError as error:
        raise BrokenLinkError(str(error)) from error


def to_worker(body: bytes) -> list[ToWorker]:
    """Decode a frame's body on a worker's side. Raises BrokenLinkError."""
    try:
        return _to_worker.decode(body)
    except msgspec.MsgspecError as error:
        raise BrokenLinkError(str(error)) from error
