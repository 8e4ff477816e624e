"""What makes a request dearer than its model's standard rates is seen, however it is written."""

import pytest

from sluicegate.wire.peek import PeekError
from sluicegate.wire.tiers import dearer_fields


@pytest.mark.parametrize(
    ("body", "dearer"),
    [
        (b"{}", None),
        (b'{"model":"m","messages":[{"content":"\\"service_tier\\": priority, speed"}]}', None),
        (b'{"messages":[{"service_tier":"priority"}]}', None),
        (b'{"service_tier":null}', None),
        (b'{"service_tier":"auto"}', None),
        (b'{"service_tier":"default"}', None),
        (b'{"service_tier":"Flex"}', None),
        (b'{"service_tier":"standard_only"}', None),
        (b'{"service_tier":"on_demand"}', None),
        (b'{"service_tier":"priority"}', "service_tier"),
        (b'{"service_tier":"fast"}', "service_tier"),
        (b'{"service_tier":"scale"}', "service_tier"),
        (b'{"service_tier":""}', "service_tier"),
        (b'{"service_tier":["auto"]}', "service_tier"),
        (b'{"service\\u005ftier":"priority"}', "service_tier"),
        (b'{"messages":["\\ud83d"],"service_tier":"priority"}', "service_tier"),
        (b'{"messages":["\\ud83d"]}', None),
        (b'{"serviceTier":"PRIORITY"}', "serviceTier"),
        (b'{"serviceTier":"STANDARD"}', None),
        (b'{"speed":"fast"}', "speed"),
        (b'{"speed":"standard"}', None),
        (b'{"inference_geo":"us"}', "inference_geo"),
        (b'{"inference_geo":"global"}', None),
        (b'{"service_tier":"auto","speed":"fast"}', "speed"),
        (b"[]", None),
        (b"no JSON", None),
        (b"[NaN]", None),
        (b"NaN", None),
    ],
)
def test_a_dearer_field_is_named(body: bytes, dearer: str | None) -> None:
    """A value that is not known to cost at most the standard rates counts as dearer; one deeper inside does not."""
    assert next(iter(dearer_fields(body)), None) == dearer


def test_what_each_asks_for_is_told() -> None:
    """In lower case, so that it can be looked up among the services a price has; nothing of what is no text."""
    body = b'{"service_tier":"Priority","speed":"fast","inference_geo":["us"]}'
    assert dearer_fields(body) == {"service_tier": "priority", "speed": "fast", "inference_geo": ""}


@pytest.mark.parametrize(
    "body",
    [
        b'{"service_tier":"priority","service_tier":"auto"}',
        b'{"service_tier":"priority","service_tier":null}',
        b'{"service_tier":"auto","service\\u005ftier":"priority"}',
        b'{"service\\u005ftier":"priority","service\\u005ftier":null}',
    ],
)
def test_a_field_given_twice_is_refused(body: bytes) -> None:
    """Another reader could take the other one."""
    with pytest.raises(PeekError, match="service_tier is given twice"):
        dearer_fields(body)
