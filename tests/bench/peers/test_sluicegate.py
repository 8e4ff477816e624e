"""Sluicegate is measured with a configuration of its own."""

import asyncio
import json
from pathlib import Path

from sluicegate import __version__
from sluicegate.bench.certificates import Certificates
from sluicegate.bench.peers.base import Site
from sluicegate.bench.peers.sluicegate import Sluicegate
from sluicegate.config.layers import Overrides
from sluicegate.config.load import load
from sluicegate.dialects.table import DIALECTS


def test_configuration_is_valid(tmp_path: Path) -> None:
    """Our own program accepts it: one provider, one token, and the token is what callers send."""
    launch = Sluicegate().launch(Site(81, tmp_path, 82))
    (tmp_path / "sluicegate.yaml").write_text(launch.files["sluicegate.yaml"])
    compiled = load(tmp_path / "sluicegate.yaml", {}, Overrides(), dialects=DIALECTS)
    assert (len(compiled.snapshot.providers), len(compiled.tokens)) == (1, 1)
    assert launch.credential in launch.files["sluicegate.yaml"]
    assert launch.command[1:] == ("-m", "sluicegate", "serve", "--config", str(tmp_path / "sluicegate.yaml"))
    assert launch.ready_path == "/readyz"


def test_limits(tmp_path: Path) -> None:
    """A second one is measured with a limit of each kind on its token."""
    limited = Sluicegate(is_limited=True)
    (tmp_path / "sluicegate.yaml").write_text(limited.launch(Site(81, tmp_path, 82)).files["sluicegate.yaml"])
    compiled = load(tmp_path / "sluicegate.yaml", {}, Overrides(), dialects=DIALECTS)
    (principal,) = compiled.tokens.values()
    assert limited.name == "sluicegate-limits"
    assert {limit.metric for limit in principal.limits} == {"requests", "tokens", "usd", "concurrency"}


def test_without_the_request_log(tmp_path: Path) -> None:
    """Another one writes its journal and counts, and keeps no request in the database."""
    unlogged = Sluicegate(is_logged=False)
    (tmp_path / "sluicegate.yaml").write_text(unlogged.launch(Site(81, tmp_path, 82)).files["sluicegate.yaml"])
    settings = load(tmp_path / "sluicegate.yaml", {}, Overrides(), dialects=DIALECTS).settings
    assert (unlogged.name, settings.request_log.enabled) == ("sluicegate-unlogged", False)


def test_routing(tmp_path: Path) -> None:
    """A third one asks for a name of ours, with two targets, a fallback and stickiness."""
    routed = Sluicegate(is_routed=True)
    launch = routed.launch(Site(81, tmp_path, 82))
    (tmp_path / "sluicegate.yaml").write_text(launch.files["sluicegate.yaml"])
    (alias,) = load(tmp_path / "sluicegate.yaml", {}, Overrides(), dialects=DIALECTS).snapshot.models
    assert (routed.name, alias.name, alias.sticky) == ("sluicegate-routing", launch.model, "conversation")
    assert (len(alias.targets), len(alias.fallbacks)) == (2, 1)


def test_provider_with_tls(tmp_path: Path) -> None:
    """A provider with TLS is verified."""
    made = Certificates(tmp_path / "ca", tmp_path / "chain", tmp_path / "key")
    launch = Sluicegate().launch(Site(81, tmp_path, 82, made))
    provider = json.loads(launch.files["sluicegate.yaml"])["providers"]["mock"]
    assert provider["base_url"] == "https://127.0.0.1:82/v1"
    assert provider["ca_file"] == str(tmp_path / "ca")


def test_version() -> None:
    """The version is our own."""
    assert asyncio.run(Sluicegate().version()) == __version__
