"""A provider that fails everything it is asked, at full load: it is not asked the more for it, and is found again.

A provider that is asked on all the while fails for ten seconds: as long as the budget looks back. Where it is left
alone after the first failures, four show the same. From the start of a node on, no more than a fifth of its requests is
sent again. A node that had been calm for long may send the share of its last ten seconds again at once;
`tests/domain/test_retrying.py` has that in simulated time.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.mocks import Mock, two
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway
from tests.e2e.stalls import Stalls
from tests.e2e.traffic import Asking, Traffic

STORM = 10.0
"""Seconds."""
SHORT_STORM = 4.0
EJECTION = 0.5
"""Seconds that a deployment is left alone; it is not longer the second time here."""
SLACK = 1.0
"""Seconds for a machine that has more to do, beside those of a stall: from when a request might have been answered."""
SHARE = 1.2
ROOM = 32_000_000
"""Bytes by which a worker may grow as it begins: ten times the requests, with their lines of the journal under way."""
FLAT = 4_000_000
"""Bytes by which it may grow from then on, in half a storm."""
MOST_LOOKS = 6
"""At memory: on a disk that stands still lines wait for longer, and take their room later. A leak grows on and on."""
WORKERS = 2
CALM = 600
"""Requests before a storm."""


@pytest.fixture
def mocks() -> Iterator[tuple[Mock, Mock]]:
    """Two providers."""
    with two() as made:
        yield made


def started(start: Start, directory: Path, *mocks: Mock, opens_last: bool = False) -> Gateway:
    """A node before one provider with so many deployments."""
    deployments = [
        {"name": name, "base_url": f"http://127.0.0.1:{mock.port}/v1"}
        for name, mock in zip(("first", "second"), mocks, strict=False)
    ]
    circuit = {"ejection": EJECTION, "longest_ejection": EJECTION, "opens_last": opens_last}
    provider = {"dialect": "openai", "api_key": "key", "proxy": "none", "deployments": deployments, "circuit": circuit}
    settings = {
        "server": {"port": 0, "drain_seconds": 1},
        "tokens": [{"name": "test", "token": TOKEN}],
        "providers": {"mock": provider},
    }
    path = directory / "gateway.yaml"
    path.write_text(json.dumps(settings))
    return start(f"--config={path}", f"--workers={WORKERS}").until_ready()


def resident(gateway: Gateway) -> list[int]:
    """Resident memory of each worker in bytes."""
    sizes = []
    for number in range(WORKERS):
        lines = Path(f"/proc/{gateway.process(f'worker-{number}')}/status").read_text().splitlines()
        sizes.append(int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * 1024)
    return sizes


def storm(traffic: Traffic, gateway: Gateway, mock: Mock, seconds: float) -> float:
    """Let it be calm, let the provider fail for so many seconds, and heal it; when that was."""
    traffic.go_on(CALM)
    before = resident(gateway)
    mock.be(fault="status=503")
    traffic.go_on_for(seconds / 2)
    sizes = [before, resident(gateway)]
    traffic.go_on_for(seconds / 2)
    sizes.append(resident(gateway))
    while grown(*sizes[-2:]) >= FLAT and len(sizes) < MOST_LOOKS:
        traffic.go_on_for(seconds / 2)
        sizes.append(resident(gateway))
    mock.be(fault="none")
    healed = time.monotonic()
    assert grown(*sizes[:2]) < ROOM, sizes
    assert grown(*sizes[-2:]) < FLAT, sizes
    return healed


def grown(before: list[int], after: list[int]) -> int:
    """By how much the worker has grown that has grown most."""
    return max(late - early for early, late in zip(before, after, strict=True))


def recovered(traffic: Traffic, healed: float, interval: float) -> None:
    """Whatever is asked from one interval after the healing on is answered."""
    with Stalls() as stalls:
        traffic.go_on_for(interval + SLACK)
        late = healed + interval + SLACK + stalls.seconds
        traffic.go_on(CALM)
        eventually(lambda: len(traffic.since(late)) >= CALM)
    assert {outcome.end for outcome in traffic.since(late)} == {200}


@pytest.mark.parametrize("opens_last", [False, True], ids=["asked on", "left alone"])
def test_sole_provider(start: Start, tmp_path: Path, mocks: tuple[Mock, Mock], *, opens_last: bool) -> None:
    """Callers are told at once, the provider is asked a fifth more at most, and answers again when it has healed.

    With `opens_last` it is hardly asked at all in the meantime, and found again by the next request that tries it.
    """
    mock = mocks[0]
    gateway = started(start, tmp_path, mock, opens_last=opens_last)
    with Traffic(gateway.port, [Asking("m")], callers=32) as traffic:
        healed = storm(traffic, gateway, mock, SHORT_STORM if opens_last else STORM)
        recovered(traffic, healed, EJECTION if opens_last else 0.0)
    ends = traffic.ends()
    assert ends.keys() == {200, 503}
    requests, attempts = ends.total(), mock.asked()
    assert attempts <= SHARE * requests, (attempts, requests)
    if opens_last:
        # What was under way as it began, and then who tries: one at a time of each worker, and their repetitions.
        assert attempts - ends[200] < ends[503] / 2, (attempts, ends)
    else:
        assert attempts >= requests


def test_one_of_two(start: Start, tmp_path: Path, mocks: tuple[Mock, Mock]) -> None:
    """No caller sees it: the other one answers; the one that failed is left alone, and has its share when healed."""
    sound, mock = mocks
    gateway = started(start, tmp_path, sound, mock)
    began = time.monotonic()
    with Traffic(gateway.port, [Asking("m"), Asking("m", stream=True)], callers=32) as traffic:
        healed = storm(traffic, gateway, mock, SHORT_STORM)
        before = mock.asked()
        recovered(traffic, healed, EJECTION)
        eventually(lambda: mock.asked() > before + CALM // 10)
        traffic.go_on(CALM)
        late = traffic.since(healed + EJECTION + SLACK)
        shares = [sum(outcome.provider == f"mock/{name}" for outcome in late) for name in ("first", "second")]
        assert min(shares) > 0.3 * sum(shares), shares
    ends = traffic.ends()
    assert ends.keys() == {200}
    attempts = sound.asked() + mock.asked()
    assert ends.total() < attempts <= SHARE * ends.total()
    # One request tries it in each interval, of each worker, once those are answered that were under way.
    tries = WORKERS * (healed - began) / EJECTION
    assert attempts - ends.total() < 32 + 5 * WORKERS + 2 * tries
