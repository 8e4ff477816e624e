"""Requests are signed as AWS's own library signs them."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.events.sinks.sigv4 import Key, signed

KEY = Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1", "events")


def theirs(key: Key, url: str, headers: dict[str, str], body: bytes) -> tuple[str, float]:
    """Botocore's signature, and the time it took for it."""
    request = AWSRequest(method="POST", url=url, data=body, headers=headers)
    credentials = Credentials(key.access_key_id, key.secret_access_key, key.session_token or None)
    SigV4Auth(credentials, key.service, key.region).add_auth(request)
    moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return request.headers["Authorization"], moment.timestamp()


@pytest.mark.parametrize(
    "url",
    [
        "https://events.eu-west-1.amazonaws.com/",
        "https://events.eu-west-1.amazonaws.com",
        "http://127.0.0.1:5000/",
        "http://localhost:80/a/b%20c/d",
        "https://h.example/path/with-._~/x?b=2&a=1&a=0&c=%2F+x&empty=",
        "https://[::1]:8443/x",
    ],
)
@pytest.mark.parametrize("session_token", ["", "token/with+signs=="])
def test_signatures_are_those_of_botocore(url: str, session_token: str) -> None:
    """For any address, with and without a session."""
    key = Key(KEY.access_key_id, KEY.secret_access_key, KEY.region, KEY.service, session_token)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSEvents.PutEvents"}
    body = b'{"Entries": []}'
    authorization, moment = theirs(key, url, headers, body)
    ours = signed(key, "POST", url, headers, body, now=moment)
    assert ours["authorization"] == authorization
    assert ours.get("x-amz-security-token", "") == session_token


_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(_TEXT, _TEXT, _TEXT, st.binary(max_size=50))
def test_signatures_of_anything(identity: str, secret: str, value: str, body: bytes) -> None:
    """Whatever the key, the header's value and the body are."""
    key = Key(identity, secret, "us-east-1", "logs")
    headers = {"x-amz-target": value}
    authorization, moment = theirs(key, "https://logs.us-east-1.amazonaws.com/", headers, body)
    ours = signed(key, "POST", "https://logs.us-east-1.amazonaws.com/", headers, body, now=moment)
    assert ours["authorization"] == authorization


def test_a_key_does_not_show() -> None:
    """Only for what it signs."""
    shown = repr(Key("AKIDEXAMPLE", "secret", "eu-west-1", "events", "session"))
    assert shown == "Key(region='eu-west-1', service='events')"
