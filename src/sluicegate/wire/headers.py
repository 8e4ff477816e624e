"""Which header fields travel, and which mean something to us.

Rule 1. Hop-by-hop fields (RFC 9110 section 7.6.1) end here, in both directions; so do the fields `Connection` names.
Rule 2. A caller's credential never travels, whichever of the headers it came in; nor do cookies, nor a manager's
        secret: these are for the control process alone.
Rule 3. What we say ourselves (`x-gateway-…`, the framing, the request id of an answer) is never taken from a peer.
"""

from typing import Final

FORWARD: Final = 0
DROP: Final = 1
HOST: Final = 2
CONTENT_LENGTH: Final = 3
TRANSFER_ENCODING: Final = 4
CONNECTION: Final = 5
UPGRADE: Final = 6
EXPECT: Final = 7
CONTENT_TYPE: Final = 8
CONTENT_ENCODING: Final = 9
SESSION: Final = 10
REQUEST_ID: Final = 11
VERSION: Final = 12
ACCEPT_ENCODING: Final = 13
CACHE_CONTROL: Final = 14
COOKIE: Final = 15
MAX_COST: Final = 16
REGION: Final = 17
TAGS: Final = 18
ORIGIN: Final = 19
TRACEPARENT: Final = 20
TRACESTATE: Final = 21
ADMIN_SECRET: Final = 22
AUTHORIZATION: Final = 23
X_API_KEY: Final = 24
API_KEY: Final = 25
X_GOOG_API_KEY: Final = 26

_HOP_BY_HOP = (b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer")

_REQUEST_KINDS = {
    **dict.fromkeys(_HOP_BY_HOP, DROP),
    # What a client says of its own way here would be believed by the provider or the control process: we say it.
    **dict.fromkeys((b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"), DROP),
    b"x-real-ip": DROP,
    b"host": HOST,
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"connection": CONNECTION,
    b"upgrade": UPGRADE,
    b"expect": EXPECT,
    b"content-type": CONTENT_TYPE,
    b"content-encoding": CONTENT_ENCODING,
    b"x-claude-code-session-id": SESSION,
    b"session_id": SESSION,
    b"anthropic-version": VERSION,
    b"accept-encoding": ACCEPT_ENCODING,
    b"cookie": COOKIE,
    b"x-admin-secret": ADMIN_SECRET,
    b"x-gateway-max-cost-usd": MAX_COST,
    b"x-gateway-region": REGION,
    b"x-gateway-tags": TAGS,
    b"origin": ORIGIN,
    b"traceparent": TRACEPARENT,
    b"tracestate": TRACESTATE,
    b"authorization": AUTHORIZATION,
    b"x-api-key": X_API_KEY,
    b"api-key": API_KEY,
    b"x-goog-api-key": X_GOOG_API_KEY,
}

_ANSWER_KINDS = {
    **dict.fromkeys(_HOP_BY_HOP, DROP),
    # A provider's cookie would tie callers together; its alternative service would lead them past the gateway.
    **dict.fromkeys((b"set-cookie", b"alt-svc", b"strict-transport-security"), DROP),
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"connection": CONNECTION,
    b"upgrade": UPGRADE,
    b"content-type": CONTENT_TYPE,
    b"content-encoding": CONTENT_ENCODING,
    b"cache-control": CACHE_CONTROL,
    b"x-request-id": REQUEST_ID,
    b"request-id": REQUEST_ID,
}

_CONTROL_ANSWER_KINDS = {
    **{name: kind for name, kind in _ANSWER_KINDS.items() if kind not in (DROP, CACHE_CONTROL)},
    **dict.fromkeys(_HOP_BY_HOP, DROP),
}
"""The control process is ours: its cookies (of the admin pages) and caching rules travel."""

CREDENTIAL_NAMES = frozenset(name for name, kind in _REQUEST_KINDS.items() if kind >= AUTHORIZATION)
"""Fields a caller's credential may come in."""

_OWN_PREFIX = b"x-gateway-"
_LARGEST_MEMO = 4096
"""Spellings remembered; a peer that invents more names pays for a lower-casing each time, and memory stays bounded."""


_LARGEST_LINES = 1024
"""Lines remembered; then all are forgotten, so that peers who change them fill no memory."""
_LONGEST_LINE = 256
"""Bytes of a line that is remembered."""
_MOST_VALUES = 32
"""Values of a field, after which it is taken to be another each time."""


class HeaderKinds(dict[bytes, int]):
    """What to do with a field, by its name as spelt: a dictionary that learns the spellings it meets.

    `lines` are whole lines that were met before, with the kind of their field: looked up at half the price of a name.
    Most of a provider's are the same in every answer; those whose fields are `changing` are not worth remembering.
    """

    __slots__ = ("_kinds", "_values", "changing", "lines")

    def __init__(self, kinds: dict[bytes, int]) -> None:
        """`kinds` maps lower-case names; all others are forwarded."""
        super().__init__(kinds)
        self._kinds = kinds
        self._values: dict[bytes, int] = {}
        """How many values of a field were met, by its name as spelt."""
        self.lines: dict[bytes, int] = {}
        self.changing: set[bytes] = set()

    def learn(self, name: bytes, line: bytes, kind: int) -> None:
        """Remember a good line, which was not met before."""
        if len(line) > _LONGEST_LINE:
            return
        if len(self.lines) >= _LARGEST_LINES:
            self.lines.clear()
            self._values.clear()
            self.changing.clear()
        self.lines[line] = kind
        self._values[name] = values = self._values.get(name, 0) + 1
        if values >= _MOST_VALUES:
            self.changing.add(name)

    def __missing__(self, name: bytes) -> int:
        """Classify a spelling not met before."""
        lower = name.lower()
        kind = self._kinds.get(lower, DROP if lower.startswith(_OWN_PREFIX) else FORWARD)
        if len(self) < _LARGEST_MEMO:
            self[name] = kind
        return kind


def request_kinds() -> HeaderKinds:
    """Kinds of the fields of a client's request."""
    return HeaderKinds(_REQUEST_KINDS)


def answer_kinds() -> HeaderKinds:
    """Kinds of the fields of a provider's answer."""
    return HeaderKinds(_ANSWER_KINDS)


def control_answer_kinds() -> HeaderKinds:
    """Kinds of the fields of our own control process's answer."""
    return HeaderKinds(_CONTROL_ANSWER_KINDS)


def connection_options(value: bytes) -> frozenset[bytes]:
    """The options of a `Connection` field's value, in lower case (RFC 9110 section 7.6.1)."""
    return frozenset(option.strip().lower() for option in value.split(b",") if option.strip())


def without(lines: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """`lines` (`Name: value`) less those whose lower-case name is in `names`."""
    return [line for line in lines if line.partition(b":")[0].lower() not in names]


def has_field(lines: list[bytes], name: bytes) -> bool:
    """Whether one of `lines` is a field of this lower-case name."""
    return any(line.partition(b":")[0].lower() == name for line in lines)


def value_of(lines: list[bytes], name: bytes) -> bytes:
    """The trimmed value of the first of `lines` with this lower-case name; empty where there is none."""
    for line in lines:
        spelt, _, value = line.partition(b":")
        if spelt.lower() == name:
            return value.strip()
    return b""


def bearer(value: bytes) -> bytes:
    """The credential of an `Authorization` value: everything after the first space, trimmed; keys may hold spaces.

    Any scheme is accepted, as the SDKs of some providers send `Token …`; a value without a space is the credential.
    """
    scheme, space, rest = value.partition(b" ")
    return rest.strip() if space else scheme.strip()


PLAIN_OPTIONS: Final = frozenset({b"keep-alive", b"close", b"upgrade"})
"""Options of a `Connection` field that name no other field."""
