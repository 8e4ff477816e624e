"""`Idempotency-Key`."""

import asyncio
from typing import Any

import pytest

from sluicegate.control.routes.idempotency import ABANDONED_MS
from tests.control.api import Api
from tests.control.asgi import Answer

KEY = {"idempotency-key": "5f1c"}
PATH = "/admin/tokens"


def post(api: Api, body: Any = None, **options: Any) -> Answer:
    """Issue a token with the key."""
    return api.ask("POST", PATH, body={"name": "x"} if body is None else body, headers=KEY, **options)


def count(api: Api) -> int:
    """How many tokens there are."""
    return len(api.ask("GET", PATH).json["data"])


async def claim_of(api: Api, scope: str = f"root POST {PATH}") -> Any:
    """What is kept of the key."""
    async with api.database.reading() as session:
        return await session.idempotency.get("5f1c", scope)


def test_repetition_is_answered_as_the_first_time(api: Api) -> None:
    """The same request again gets the same answer, secret included, and issues nothing."""
    first, second = post(api), post(api)
    assert (first.status, second.status, second.body) == (201, 201, first.body)
    assert second.headers["idempotency-replayed"] == "true"
    for name in ("location", "etag", "content-type"):
        assert second.headers[name] == first.headers[name]
    assert count(api) == 1


def test_kept_answer_is_encrypted(api: Api) -> None:
    """A secret in a kept answer is in no byte of what is stored."""
    secret = post(api).json["token"]
    assert secret.encode() not in api.run(claim_of(api)).body


def test_other_request_with_the_key_is_refused(api: Api) -> None:
    """A key that was used for another body gets 422."""
    post(api)
    answer = post(api, {"name": "y"})
    assert (answer.status, "for another request" in answer.json["detail"]) == (422, True)
    assert count(api) == 1


def test_keys_of_others_are_others(api: Api) -> None:
    """Two managers, or two paths, may use the same key."""
    first = post(api)
    second = post(api, key=api.add_key("admin"))
    third = api.ask("POST", "/admin/projects", body={"name": "x"}, headers=KEY)
    assert (first.status, second.status, third.status) == (201, 201, 201)
    assert second.json["token_id"] != first.json["token_id"]


def test_refused_request_may_be_tried_again(api: Api) -> None:
    """A refusal is not kept, even one of an unreadable body."""
    assert post(api, {"project_id": "prj_none"}).status == 404
    assert post(api, b"{").status == 422
    assert post(api).status == 201


def test_of_two_at_once_one_happens(api: Api) -> None:
    """Requests that come at the same moment issue one token; the others get the same answer, or 409 to come again."""

    async def post_all() -> list[Answer]:
        return list(await asyncio.gather(*(api.asked("POST", PATH, body={"name": "x"}, headers=KEY) for _ in range(5))))

    answers = api.run(post_all())
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body for answer in answers if answer.status == 201}) == 1
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status == 409)
    assert count(api) == 1


@pytest.mark.parametrize(("status", "expected", "tokens"), [(0, 201, 1), (1, 409, 0)])
def test_claim_of_a_dead_process(status: int, expected: int, tokens: int, api: Api) -> None:
    """What a process left behind when it died is taken over later, but never where it was carried out."""
    post(api)
    claim = api.run(claim_of(api))

    async def leave() -> None:
        async with api.database.writing() as session:
            await session.idempotency.put(
                "5f1c", "root POST /admin/projects", request_digest=claim.request_digest, status=status, body=b"",
                created_at=api.clock.now(),
            )  # fmt: skip

    api.run(leave())
    before = len(api.ask("GET", "/admin/projects").json["data"])
    again: dict[str, Any] = {"method": "POST", "path": "/admin/projects", "body": {"name": "x"}, "headers": KEY}
    assert api.ask(**again).status == 409
    api.clock.seconds += ABANDONED_MS / 1000
    assert api.ask(**again).status == expected
    assert len(api.ask("GET", "/admin/projects").json["data"]) == before + tokens


def test_answer_of_a_lost_key_is_not_made_anew(api: Api) -> None:
    """An answer that cannot be decrypted is a 409: what was done is not done again."""
    post(api)

    async def spoil() -> None:
        async with api.database.writing() as session:
            await session.idempotency.finish("5f1c", f"root POST {PATH}", status=201, body=b"spoiled")

    api.run(spoil())
    answer = post(api)
    assert (answer.status, "carried out before" in answer.json["detail"]) == (409, True)
    assert count(api) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
def test_unusable_key_is_refused(key: str, api: Api) -> None:
    """A key is 1 to 255 printable ASCII characters."""
    assert api.ask("POST", PATH, body={}, headers={"idempotency-key": key}).status == 422
