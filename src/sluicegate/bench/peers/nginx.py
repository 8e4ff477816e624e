"""nginx: one worker process, kept connections to the provider, nothing buffered, nothing logged."""

import shutil
from collections.abc import Callable

from sluicegate.bench.peers.base import Launch, PeerMissingError, Site, output_of

_CONFIGURATION = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 100000000;
  upstream provider {{
    server 127.0.0.1:{upstream_port};
    keepalive 512;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass {scheme}://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
{tls}    }}
  }}
}}
"""

_TLS = """\
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {authority};
      proxy_ssl_name localhost;
      proxy_ssl_session_reuse on;
"""


class Nginx:
    """See the module."""

    name = "nginx"

    def __init__(self, find: Callable[[], str] | None = None) -> None:
        self._find = find or find_nginx

    async def version(self) -> str:
        """Like 1.22.1."""
        return (await output_of(self._find(), "-v")).rpartition("/")[2]

    def launch(self, site: Site) -> Launch:
        """In the foreground, with every path inside its directory."""
        tls = "" if site.certificates is None else _TLS.format(authority=site.certificates.authority)
        scheme = "http" if site.certificates is None else "https"
        text = _CONFIGURATION.format(port=site.port, upstream_port=site.upstream_port, scheme=scheme, tls=tls)
        command = (self._find(), "-p", f"{site.directory}/", "-c", "nginx.conf", "-e", "stderr")
        return Launch(command, {"nginx.conf": text})


def find_nginx(path: str | None = None) -> str:
    """The first of `path` (this process's and the system's own when not given). Raises PeerMissingError."""
    found = shutil.which("nginx", path=path)
    if found is None and path is None:
        # Where Debian puts it, and where the path of those who are not root does not lead.
        found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise PeerMissingError("nginx is not installed: it comes with the system's packages")
    return found
