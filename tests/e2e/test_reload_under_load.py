"""Configurations that change a hundred times, and some that cannot be used, while callers ask on and on."""

import json
import signal
from collections.abc import Iterator
from functools import partial
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.mocks import Mock, two
from tests.e2e.polling import eventually
from tests.e2e.program import QUESTION, TOKEN, Gateway, run
from tests.e2e.tenants import MANAGEMENT_TOKEN, Management
from tests.e2e.traffic import Asking, Traffic
from tests.e2e.written import replace

RELOADS = 100
BY_SIGNAL = 10
"""Every tenth one is asked for with SIGHUP."""
EACH = 10
"""Requests answered under each configuration, at least."""
DELAY = "0.05"
"""Seconds that providers take here: as many requests are under way, and what is tested has the machine to itself."""
STREAMS = 4
ASKED = ("smart", "steady/m", "family-large", "pooled/m")
"""What callers ask for; every configuration has it."""


class Site:
    """The node, its two providers, and its file."""

    def __init__(self, start: Start, directory: Path, mocks: tuple[Mock, Mock]) -> None:
        """Start it with the first configuration."""
        self.mocks = mocks
        self.path = directory / "gateway.yaml"
        self.write(0)
        self.gateway = start(f"--config={self.path}", "--workers=2").until_ready()
        self.management = Management(self.gateway)

    def write(self, number: int) -> dict[str, Any]:
        """Write the configuration of this number, which differs from its neighbours in all that may change."""
        first, second = (f"http://127.0.0.1:{mock.port}/v1" for mock in self.mocks)
        openai = {"dialect": "openai", "proxy": "none"}
        deployments = [
            {"name": "one", "base_url": first, "api_key": f"key-{number}", "weight": 1 + number % 5},
            {"name": "two", "base_url": second, "region": ("eu", "us")[number % 2]},
            {"name": f"three-{number}", "base_url": first, "tags": ["new"]},
        ]
        providers: dict[str, Any] = {
            "steady": openai | {"base_url": first, "api_key": "key"},
            "changing": openai | {"base_url": (first, second)[number % 2], "api_key": f"key-{number}"},
            "pooled": openai | {"api_key": "key", "deployments": deployments[: 1 + number % 3]},
        }
        targets = [{"model": "changing/a", "weight": 1 + number % 7}, {"model": "steady/b", "weight": 3}]
        if number % 2 == 0:
            providers["passing"] = openai | {"base_url": second, "api_key": "key", "circuit": {"consecutive": 3}}
            targets.append({"model": "passing/c", "weight": 1 + number % 3})
        strategies = ("weighted", "round_robin", "least_busy", "lowest_latency")
        smart = {"name": "smart", "targets": targets, "fallbacks": ["pooled/m"], "strategy": strategies[number % 4]}
        if number % 3 == 0:
            smart["sticky"] = "conversation"
        # What `Gateway.stream` asks for: at first of the provider that is gone after the next reload.
        plain = {"name": QUESTION["model"], "targets": [targets[-1]]}
        models = [smart, plain, {"name": "family-*", "targets": [{"model": "changing/*"}]}]
        models += [{"name": f"only-{number}", "targets": targets}]
        settings = {
            "server": {"port": 0, "drain_seconds": 1},
            "management_token": MANAGEMENT_TOKEN,
            "tokens": [{"name": "test", "token": TOKEN}, {"name": "other", "token": f"sk-other-{number:032}"}],
            "providers": providers,
            "models": models,
            "resilience": {"retries": {"backoff": 0.1 + number % 4 / 10}},
        }
        replace(self.path, json.dumps(settings))
        return settings

    def version(self) -> int:
        """Of the configuration in force."""
        return int(self.shown()["version"])

    def shown(self) -> dict[str, Any]:
        """What the management API says of the configuration."""
        status, shown = self.management.ask("GET", "/admin/config")
        assert status == 200
        assert isinstance(shown, dict)
        return shown

    def reload(self, *, by_signal: bool = False) -> None:
        """Have the file in force."""
        before = self.version()
        if by_signal:
            self.gateway.signal(signal.SIGHUP)
            eventually(lambda: self.version() > before)
        else:
            status, answer = self.management.ask("POST", "/admin/config/reload", {})
            assert (status, answer["version"] > before) == (200, True), answer


@pytest.fixture
def mocks() -> Iterator[tuple[Mock, Mock]]:
    """Two providers."""
    with two(f"--delay={DELAY}") as made:
        yield made


@pytest.fixture
def site(start: Start, tmp_path: Path, mocks: tuple[Mock, Mock]) -> Site:
    """A running node."""
    return Site(start, tmp_path, mocks)


def asking() -> list[Asking]:
    """Every model, whole and as a stream."""
    return [Asking(model, stream=stream) for model in ASKED for stream in (False, True)]


def test_hundred_reloads(site: Site) -> None:
    """No request fails, and streams that began on a provider that is gone since end as they should."""
    gateway = site.gateway
    processes = gateway.processes()
    streams = [gateway.stream(gateway.connection(60.0), seconds=5) for _ in range(STREAMS)]
    assert {stream.headers["x-gateway-provider"] for stream in streams} == {"passing"}
    with Traffic(gateway.port, asking()) as traffic:
        for number in range(1, RELOADS + 1):
            site.write(number)
            site.reload(by_signal=number % BY_SIGNAL == 0)
            traffic.go_on(EACH)
        traffic.go_on(RELOADS)
    ends = traffic.ends()
    assert ends.keys() == {200}
    assert ends.total() > RELOADS * EACH
    assert {rest_of(stream)[-14:] for stream in streams} == {b"data: [DONE]\n\n"}
    eventually(partial(has_whole, gateway, streams))
    assert gateway.processes() == processes
    assert gateway.errors() == []
    served = {outcome.provider for outcome in traffic.outcomes}
    assert {"steady", "changing", "passing", "pooled/one", "pooled/two"} <= served
    assert any(provider.startswith("pooled/three-") for provider in served)


def rest_of(stream: HTTPResponse) -> bytes:
    """What is still to come."""
    return stream.read()


def has_whole(gateway: Gateway, streams: list[HTTPResponse]) -> bool:
    """Whether the journal has every one of them, and as a whole one."""
    ids = {stream.headers["x-request-id"] for stream in streams}
    found = [event for event in gateway.events() if event["request_id"] in ids]
    assert not [event for event in found if event.get("is_cut") or event.get("error")]
    return len(found) == len(streams)


def broken(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Files that cannot be used, and what must be said of each."""
    openai = {"dialect": "openai", "base_url": "http://127.0.0.1:1/v1"}
    smart = settings["models"][0]
    yield json.dumps(settings)[:-1], "gateway.yaml"
    yield json.dumps(settings | {"surprise": 1}), "surprise"
    yield json.dumps(settings | {"providers": settings["providers"] | {"bad": openai | {"weight": "x"}}}), "bad"
    yield json.dumps(settings | {"models": [smart | {"targets": [{"model": "nowhere/m"}]}]}), "nowhere"
    yield json.dumps(settings | {"models": [smart | {"fallbacks": ["gone"]}]}), "models[0].fallbacks[0]"
    yield json.dumps(settings | {"models": [smart | {"strategy": "best"}]}), "strategy"
    double = [{"name": "same", "base_url": "http://127.0.0.1:1/v1"}] * 2
    yield (
        json.dumps(settings | {"providers": settings["providers"] | {"twice": openai | {"deployments": double}}}),
        "deployments[1]",
    )


def test_broken_configurations(site: Site) -> None:
    """Nothing changes and no request fails; the log, the management API and `config check` say what is wrong."""
    gateway = site.gateway
    settings = site.write(1)
    site.reload()
    version, before = site.version(), site.shown()["configuration"]
    with Traffic(gateway.port, asking()) as traffic:
        for text, word in broken(settings):
            replace(site.path, text)
            status, problem = site.management.ask("POST", "/admin/config/reload", {})
            assert (status, word in json.dumps(problem)) == (422, True), (word, json.dumps(problem))
            logged = len(refusals(gateway))
            gateway.signal(signal.SIGHUP)
            [error] = eventually(partial(refusals, gateway, logged))
            assert word in json.dumps(error)
            shown = site.shown()
            assert (shown["version"], shown["configuration"]) == (version, before)
            assert word in json.dumps(shown["last_error"])
            checked = run("config", "check", f"--config={site.path}")
            assert (checked.returncode, word in checked.stdout + checked.stderr) == (2, True), checked
            traffic.go_on(EACH)
        site.write(2)
        site.reload()
        traffic.go_on(EACH)
    assert site.shown()["last_error"] is None
    assert traffic.ends().keys() == {200}


def refusals(gateway: Gateway, after: int = 0) -> list[dict[str, Any]]:
    """What was logged of files that a signal was sent for, behind so many.

    The gateway finds out by itself, too, that the file has changed, and says the same whenever that is.
    """
    return gateway.logged("configuration refused, the old one stays", cause="SIGHUP")[after:]
