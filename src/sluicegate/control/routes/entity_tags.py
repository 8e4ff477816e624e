"""Versions of objects as entity tags, so that nobody overwrites what they have not seen (RFC 9110 section 13.1)."""

from collections.abc import Callable
from functools import partial

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from sluicegate.control.tenants.tenancy import conflicting


def tag(version: int) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


def check_match(request: Request, version: int) -> None:
    """Raise ProblemError 412 where `If-Match` does not name this version.

    Nor does a weak tag, which never matches (section 13.1.1), or what is no tag at all.
    """
    values = request.headers.getlist("if-match")
    expected = _tags(values)
    if values and "*" not in expected and tag(version) not in expected:
        raise conflicting()


def matching(request: Request) -> Callable[[int], None]:
    """`check_match` of this request, for use cases, which read the version within their transaction."""
    return partial(check_match, request)


def is_unchanged(request: Request, version: int) -> bool:
    """Whether `If-None-Match` names this version, so that a GET answers 304."""
    known = _tags(request.headers.getlist("if-none-match"))
    return "*" in known or tag(version) in {one.removeprefix("W/") for one in known}


def tagged(
    request: Request,
    shown: BaseModel,
    version: int,
    *,
    status: int = 200,
    location: str | None = None,
    is_counting: bool = False,
) -> Response:
    """An object with its entity tag; 304 without it, where a GET's client has it already.

    What `is_counting` changes without a new version, as tokens do with every request: a GET always answers with it.
    """
    headers = {"etag": tag(version)} | ({"location": location} if location else {})
    if not is_counting and request.method in {"GET", "HEAD"} and is_unchanged(request, version):
        return Response(status_code=304, headers=headers)
    return JSONResponse(shown.model_dump(mode="json"), status_code=status, headers=headers)


def _tags(values: list[str]) -> frozenset[str]:
    return frozenset(one.strip() for value in values for one in value.split(","))
