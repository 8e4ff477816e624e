"""Paths of the gateway's own, and that all that serve them go by the same list."""

import pytest

from sluicegate.control.routes.table import ROUTES
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.paths import API_SEGMENTS, CONTROL_PATHS, CONTROL_SEGMENTS, LOCAL_PATHS, RESERVED_SEGMENTS
from sluicegate.domain.snapshot import Snapshot
from sluicegate.gateway.routes import Routes


def first(path: str) -> str:
    """The first segment of a path."""
    return path[1:].partition("/")[0]


SERVED = {first(path) for path in LOCAL_PATHS} | CONTROL_SEGMENTS | API_SEGMENTS


def test_whatever_the_gateway_serves_is_reserved() -> None:
    """The worker's own paths, those of the control process and the APIs' versions are no names for providers."""
    assert SERVED - {""} <= RESERVED_SEGMENTS


def test_every_path_of_the_management_api_reaches_it() -> None:
    """Each begins with a segment that workers hand to the control process, or is one of the few below an API's."""
    others = [route.path for route in ROUTES if first(route.path) not in CONTROL_SEGMENTS]
    routes = Routes(Snapshot(version=1), {}, dict(DIALECTS))
    elsewhere = [path for path in others if not path.startswith(CONTROL_PATHS)]
    # Of Gemini's paths only those that list models are ours.
    assert elsewhere == [path for path in elsewhere if routes.find(b"GET", path.encode()).kind == "control"]
    assert {first(path) for path in elsewhere} == {"v1beta"}


@pytest.mark.parametrize("segment", sorted(SERVED))
def test_every_listed_path_is_served(segment: str) -> None:
    """It leads somewhere, or is refused with a reason of its own, on a node that has no provider at all."""
    bare = Routes(Snapshot(version=1), {}, dict(DIALECTS))
    refusals = [bare.find(b"GET", f"/{segment}{rest}".encode()).refusal for rest in ("", "/x")]
    assert not all(refusal and "no route begins with" in refusal.message for refusal in refusals)


def test_other_paths_belong_to_providers() -> None:
    """A name that is not reserved leads nowhere as long as no provider has it."""
    refusal = Routes(Snapshot(version=1), {}, dict(DIALECTS)).find(b"GET", b"/groq/models").refusal
    assert refusal is not None
    assert "no route begins with /groq" in refusal.message
