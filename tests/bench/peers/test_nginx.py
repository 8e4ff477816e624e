"""nginx is set up as a bare proxy."""

import asyncio
from pathlib import Path

import pytest

from sluicegate.bench.certificates import Certificates
from sluicegate.bench.peers.base import PeerMissingError, Site
from sluicegate.bench.peers.nginx import Nginx, find_nginx


def program(directory: Path) -> str:
    """An nginx that only says its version, where the real one does."""
    path = directory / "nginx"
    path.write_text("#!/bin/sh\necho 'nginx version: nginx/1.22.1' >&2\n")
    path.chmod(0o755)
    return str(path)


def test_configuration(tmp_path: Path) -> None:
    """One worker, kept connections, nothing buffered or logged, every path in its directory."""
    launch = Nginx(lambda: "nginx").launch(Site(81, tmp_path, 82))
    text = launch.files["nginx.conf"]
    assert launch.command == ("nginx", "-p", f"{tmp_path}/", "-c", "nginx.conf", "-e", "stderr")
    for line in ("listen 127.0.0.1:81 ", "server 127.0.0.1:82;", "proxy_pass http://provider;", "proxy_buffering off;"):
        assert line in text
    assert "ssl" not in text
    assert text.count("{") == text.count("}")


def test_provider_with_tls(tmp_path: Path) -> None:
    """The provider's certificate is verified."""
    site = Site(81, tmp_path, 82, Certificates(tmp_path / "ca", tmp_path / "chain", tmp_path / "key"))
    text = Nginx(lambda: "nginx").launch(site).files["nginx.conf"]
    for line in ("proxy_pass https://provider;", "proxy_ssl_verify on;", f"certificate {tmp_path / 'ca'};"):
        assert line in text


def test_where_nginx_is(tmp_path: Path) -> None:
    """On the path, or nowhere; it says its version."""
    with pytest.raises(PeerMissingError, match="not installed"):
        find_nginx(str(tmp_path))
    path = program(tmp_path)
    assert find_nginx(str(tmp_path)) == path
    assert asyncio.run(Nginx(lambda: path).version()) == "1.22.1"


def test_nginx_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of this process counts if no other is given."""
    path = program(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_nginx() == path
    monkeypatch.setenv("PATH", "")
    found = set()
    try:
        found.add(find_nginx())
    except PeerMissingError:
        found.add("/nowhere/nginx")
    assert found <= {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/nowhere/nginx"}
