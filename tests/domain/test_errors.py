"""Every failure a client can see."""

import http
import re
from typing import get_args

import pytest

from sluicegate.domain import errors
from sluicegate.domain.errors import GatewayError, Kind, MethodForbiddenError, Source, UpstreamTimeoutError


def all_errors(base: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    """List an error and all below it."""
    return [base, *(each for child in base.__subclasses__() for each in all_errors(child))]


ALL = all_errors()


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_is_complete(error: type[GatewayError]) -> None:
    """Each has a registered status that is an error, a code, a kind and a source of the vocabulary, and its meaning."""
    assert 400 <= http.HTTPStatus(error.status) < 600
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert error.kind in get_args(Kind)
    assert error.source in get_args(Source)
    assert error.__name__.endswith("Error")
    assert error.__doc__


def test_codes_tell_errors_apart() -> None:
    """Two failures that a caller can tell apart have two codes; only a defect has the base's."""
    codes = [error.code for error in ALL]
    assert sorted(code for code in set(codes) if codes.count(code) > 1) == ["internal_error"]
    assert [error for error in ALL if error.code == "internal_error"] == [GatewayError, errors.InternalError]


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_kind_fits_the_status(error: type[GatewayError]) -> None:
    """Clients of every dialect act on the kind as they would on the status."""
    statuses = {
        "invalid_request": {400, 405, 414, 417},
        "authentication": {401},
        "permission": {403},
        "not_found": {404},
        "too_large": {413, 431},
        "rate_limit": {429},
        "quota": {402, 429},
        "server": {500, 502, 503},
        "overloaded": {503},
        "timeout": {408, 504},
    }
    # RFC 6585's 431 is a malformed request to every provider's SDK, none of which sends large headers.
    assert error.status in statuses[error.kind] or (error.status, error.kind) == (431, "invalid_request")


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_only_failures_that_may_pass_are_retryable(error: type[GatewayError]) -> None:
    """No retry cures what the client itself did wrong, unless it was too much at once; what failed upstream, it may."""
    if error.kind == "rate_limit":
        assert error.is_retryable
    elif error.status < 500:
        assert not error.is_retryable
    if error.source == "upstream":
        assert error.is_retryable


@pytest.mark.parametrize(
    "error",
    [
        errors.MalformedRequestError,
        errors.ClientTooSlowError,
        errors.BodyTooLargeError,
        errors.TargetTooLongError,
        errors.ExpectationFailedError,
        errors.HeadTooLargeError,
        errors.DrainingError,
    ],
)
def test_closes_where_the_rest_of_the_request_is_unknown(error: type[GatewayError]) -> None:
    """Where a request was not read to its end, what follows on the connection is not another request."""
    assert error.closes_connection


def test_message_and_hints() -> None:
    """The message is the exception's text; hints are absent unless given."""
    error = UpstreamTimeoutError("no first byte within 600 s", parameter="model", retry_after=1.5)
    assert str(error) == error.message == "no first byte within 600 s"
    assert (error.parameter, error.retry_after) == ("model", 1.5)
    assert (GatewayError("x").parameter, GatewayError("x").retry_after) == (None, None)


def test_forbidden_method_names_the_allowed() -> None:
    """RFC 9110 section 15.5.6: a 405 must say what is allowed."""
    assert MethodForbiddenError("no", allowed=("GET", "POST")).allowed == ("GET", "POST")
    assert MethodForbiddenError("no").allowed == ()
