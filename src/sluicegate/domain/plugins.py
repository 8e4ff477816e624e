"""The interface of plugins: what they are shown, what they may answer, and how they refuse.

A plugin is a subclass of `Plugin`, named by an entry point of the group `sluicegate.plugins`; each worker makes one of
it, without arguments. See `docs/reference/plugins.md`.
"""

import re
from typing import Final

import msgspec
from msgspec import Struct

from sluicegate.domain.errors import GatewayError, Kind
from sluicegate.domain.events import Exchange as Event
from sluicegate.domain.usage import Usage

GROUP: Final = "sluicegate.plugins"
"""The group of entry points that plugins are found by."""

_KINDS: Final[dict[int, Kind]] = {
    401: "authentication",
    403: "permission",
    404: "not_found",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
}
"""What a status means to clients; any other of 4xx is `invalid_request`, of 5xx `server`."""

_CODE: Final = re.compile(r"[a-z]+(_[a-z]+)*")


class Request(Struct, frozen=True):
    """A request whose caller is known, before anything is spent on it.

    `model` is what the client asked for, empty where that cannot be seen; `provider` is empty where the model's name
    decides, since the request may then go to several in turn. `body` is the JSON body, empty where it is not held:
    there is none, it is no JSON, compressed, or longer than `server.limits.held_body_bytes`. `has_body` tells the
    first case from the others; what is sent over a WebSocket is shown to nobody.
    """

    request_id: str
    organization_id: str
    project_id: str
    user_id: str | None
    token_id: str
    tags: tuple[str, ...]
    method: str
    endpoint: str
    operation: str
    dialect: str
    model: str
    provider: str
    has_body: bool
    is_websocket: bool
    body: bytes


class Response(Struct, frozen=True):
    """What came of a request. `status` is what the client was sent (499 where it left before any answer).

    `provider` is empty where none was asked. `usage` is None where nothing is known; it is a guess where the provider
    told nothing. `milliseconds` are from the end of the request's head. `error` is the code of the failure.
    """

    status: int
    provider: str
    model: str
    usage: Usage | None
    milliseconds: float
    is_stream: bool
    error: str | None


class RefusedError(GatewayError):
    """A plugin does not let a request pass: the client gets this, in the words of its API."""

    status = 403
    code = "refused_by_plugin"
    kind: Kind = "permission"

    def __init__(
        self,
        message: str,
        *,
        status: int = 403,
        code: str = "refused_by_plugin",
        retry_after: float | None = None,
    ) -> None:
        """`message` is shown to the client; `retry_after`, in seconds, says that trying again may help.

        Raises ValueError where `status` is no error's, or `code` is not of lower-case words joined by `_`.
        """
        if not 400 <= status <= 599:
            raise ValueError(f"{status} is not the status of an error")
        if not _CODE.fullmatch(code):
            raise ValueError(f"{code!r} is not made of lower-case words joined by _")
        super().__init__(message, retry_after=retry_after)
        self.status = status
        self.code = code
        self.kind = _KINDS.get(status, "invalid_request" if status < 500 else "server")
        self.is_retryable = retry_after is not None


class Plugin:
    """The base of all plugins. Only hooks that a plugin overrides are called.

    Hooks are called in the worker's event loop: whatever waits in one (a file, a socket, a lock) makes every client of
    the worker wait.
    """

    def before_forward(self, request: Request) -> bytes | None:
        """Before anything is set aside or sent: another JSON body, or None to leave it as it is.

        Raise RefusedError to refuse the request. Any other error refuses it too, with status 500.
        """

    def after_response(self, request: Request, response: Response) -> None:
        """Once for every request that `before_forward` was shown, when its answer is over, however it ended.

        The answer's last bytes leave after this. `request.body` is as it was sent.
        """

    def on_event(self, event: Event) -> Event | None:
        """Before an event goes into the journal: one with other texts (see `Texts`), or None to leave it as it is.

        Called twice for a request whose tokens or price are known only later, with the same `request_id`.
        """


class Texts(Struct, frozen=True):
    """The fields of an event that `on_event` may change; all others stay as they were, for accounts depend on them."""

    endpoint: str
    requested_model: str
    model: str
    session_id: str | None
    client_address: str | None
    tags: tuple[str, ...]
    upstream_request_id: str | None
    response_id: str | None


def with_texts_of(changed: Event, event: Event) -> Event:
    """The event with the texts of the changed one. Raises msgspec.ValidationError where one is of a wrong type."""
    texts = msgspec.convert(changed, Texts, from_attributes=True)
    metadata = msgspec.structs.replace(event.metadata, model=texts.model)
    return msgspec.structs.replace(event, metadata=metadata, **msgspec.structs.asdict(texts))
