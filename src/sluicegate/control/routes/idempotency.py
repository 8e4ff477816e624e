"""`Idempotency-Key`: a POST that is sent twice happens once, and is answered the same both times.

Rule 1. A key belongs to who sends it: managers do not see each other's.
Rule 2. The key is claimed before anything happens, so that two at once, on whatever nodes, never both happen.
Rule 3. The answer is kept encrypted, as it may hold a new secret, and bound to its key. It follows a rotation of the
        master keys; one that cannot be opened any more is not given again, and its request not carried out again.
Rule 4. A refusal is not kept: what was refused did not happen and may be tried again.
Rule 5. The change marks the claim in its own transaction. So, where a process died, a claim without the mark is taken
        over, after a time in which any request has long ended; one with it is never carried out again.

Follows draft-ietf-httpapi-idempotency-key-header; its 409 is for a key that is in use, its 422 for another request.
"""

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from http import HTTPStatus

import msgspec
from fastapi import Request, Response
from msgspec import Struct
from msgspec.structs import replace

from sluicegate.control.access import enter
from sluicegate.control.context import context_of
from sluicegate.control.problems import ProblemError
from sluicegate.control.secrets.answers import answer_row
from sluicegate.control.secrets.key_ring import SealError
from sluicegate.control.tenants.tenancy import CARRIED_OUT, Tenancy
from sluicegate.store.errors import AlreadyExistsError

HEADER = "idempotency-key"
LONGEST = 255
_KEY = re.compile(rf"[!-~]{{1,{LONGEST}}}")
ABANDONED_MS = 120_000
"""No request takes so long: its transaction would have ended."""

_CLAIMED = 0
"""In place of a status."""

_KEPT_HEADERS = ("content-type", "etag", "location")


class _Answer(Struct, frozen=True):
    headers: dict[str, str]
    body: bytes


async def once(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
    """Handle a manager's POST, as its `Idempotency-Key` says. Raises ProblemError 409, 422."""
    key = request.headers.get(HEADER)
    if key is None:
        return await handle(request)
    if _KEY.fullmatch(key) is None:
        detail = f"{HEADER} must be 1 to {LONGEST} printable ASCII characters without a space."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    actor = await enter(request, "viewer")
    scope = f"{actor.id} {request.method} {request.url.path}"
    request.state.actor = replace(actor, claim=(key, scope))
    wanted = sha256(await request.body()).digest()
    tenancy = context_of(request).tenancy
    return await answered_once(tenancy, key, scope, wanted, handle=lambda: handle(request))


async def answered_once(
    tenancy: Tenancy, key: str, scope: str, wanted: bytes, *, handle: Callable[[], Awaitable[Response]]
) -> Response:
    """Handle a request, or give the answer that it got before. `wanted` is the digest of its body.

    Raises ProblemError 409 while it is being handled, 422 where the key was used for something else.
    """
    kept = await _claim(tenancy, key, scope, wanted)
    if kept is not None:
        return kept
    is_refused = True
    try:
        response = await handle()
        is_refused = response.status_code >= HTTPStatus.BAD_REQUEST
    finally:
        if is_refused:
            await _free(tenancy, key, scope)
    if not is_refused:
        await _keep(tenancy, key, scope, response)
    return response


async def _claim(tenancy: Tenancy, key: str, scope: str, wanted: bytes) -> Response | None:
    """Claim the key; the answer of before, where it was claimed before."""
    now = tenancy.now()
    try:
        async with tenancy.database.writing() as session:
            earlier = await session.idempotency.get(key, scope)
            if earlier is not None and earlier.status == _CLAIMED and earlier.created_at <= now - ABANDONED_MS:
                await session.idempotency.delete(key, scope)
                earlier = None
            if earlier is None:
                await session.idempotency.put(
                    key, scope, request_digest=wanted, status=_CLAIMED, body=b"", created_at=now
                )
                return None
    except AlreadyExistsError:
        raise _in_use() from None
    if earlier.request_digest != wanted:
        detail = f"This {HEADER} was used for another request before."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    if earlier.status in {_CLAIMED, CARRIED_OUT}:
        raise _in_use() if earlier.created_at > now - ABANDONED_MS else _lost()
    try:
        answer = msgspec.msgpack.decode(tenancy.key_ring.open(earlier.body, answer_row(key, scope)), type=_Answer)
    except SealError:
        raise _lost() from None
    return Response(answer.body, status_code=earlier.status, headers=answer.headers | {"idempotency-replayed": "true"})


async def _free(tenancy: Tenancy, key: str, scope: str) -> None:
    async with tenancy.database.writing() as session:
        claim = await session.idempotency.get(key, scope)
        if claim is not None and claim.status == _CLAIMED:
            await session.idempotency.delete(key, scope)


async def _keep(tenancy: Tenancy, key: str, scope: str, response: Response) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    plain = msgspec.msgpack.encode(_Answer(headers, bytes(response.body)))
    sealed, _ = tenancy.key_ring.seal(plain, answer_row(key, scope))
    async with tenancy.database.writing() as session:
        await session.idempotency.finish(key, scope, status=response.status_code, body=sealed)


def _in_use() -> ProblemError:
    detail = f"A request with this {HEADER} is being handled at the moment."
    return ProblemError(HTTPStatus.CONFLICT, detail, headers={"retry-after": "1"})


def _lost() -> ProblemError:
    return ProblemError(
        HTTPStatus.CONFLICT,
        "This request was carried out before, and its answer cannot be given again: look what is there.",
    )
