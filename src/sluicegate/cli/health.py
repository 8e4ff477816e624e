"""`sluicegate health`: is a gateway ready? For scripts and container health checks, so it starts quickly."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from http.client import HTTPConnection

NOT_READY = 1
_USUAL = "http://127.0.0.1:8080"

_Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        help=f"Address of the gateway; else that of the gateway on the data directory, else {_USUAL}.",
        show_default=False,
    ),
]
_DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="SLUICEGATE_DATA_DIR", help="Data directory of the gateway.")
]
_Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")]


def health(url: _Url = None, data_dir: _DataDir = Path("data"), timeout: _Timeout = 5.0) -> None:
    """Ask for /readyz: exit status 0 when the gateway takes requests, else 1."""
    from sluicegate.supervisor.run_directory import recorded_address

    status, reason = _ask(*_address(url or recorded_address(data_dir) or _USUAL), timeout)
    if status != 200:
        typer.echo(f"not ready: {reason}", err=True)
        raise typer.Exit(NOT_READY)
    typer.echo("ready")


def _address(url: str) -> tuple[str, str]:
    """Scheme, and host with port."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise typer.BadParameter("must be http:// or https://, a host and maybe a port", param_hint="--url")
    return parts.scheme, parts.netloc.rpartition("@")[2]


def _ask(scheme: str, host: str, timeout: float) -> tuple[int | None, str]:
    """Status of /readyz, None where there is no answer, and either in words."""
    from contextlib import closing
    from http.client import HTTPConnection, HTTPException

    make = HTTPConnection if scheme == "http" else _encrypted
    try:
        with closing(make(host, timeout=timeout)) as connection:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            return response.status, f"{response.status} {response.read(200).decode('utf-8', 'replace').strip()}"
    except (OSError, HTTPException) as error:
        return None, f"{host}: {str(error) or type(error).__name__}; another gateway is named with --url or --data-dir"


def _encrypted(host: str, *, timeout: float) -> "HTTPConnection":
    import ssl
    from http.client import HTTPSConnection

    # The certificate is not checked: it is for the name that clients use, rarely for the address asked here, and the
    # question holds no secret.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, timeout=timeout, context=context)
