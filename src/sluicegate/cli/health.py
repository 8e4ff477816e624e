"""`sluicegate health`: is a gateway ready? For scripts and container health checks, so it starts quickly."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from http.client import HTTPConnection

NOT_READY = 1

_Url = Annotated[str, typer.Option("--url", help="Address of the gateway, http:// or https://.")]
_Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")]


def health(url: _Url = "http://127.0.0.1:8080", timeout: _Timeout = 5.0) -> None:
    """Ask for /readyz: exit status 0 when the gateway takes requests, else 1."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise typer.BadParameter("must begin with http:// or https:// and name a host", param_hint="--url")
    status, reason = _ask(parts.scheme, parts.netloc.rpartition("@")[2], timeout)
    if status != 200:
        typer.echo(f"not ready: {reason}", err=True)
        raise typer.Exit(NOT_READY)
    typer.echo("ready")


def _ask(scheme: str, host: str, timeout: float) -> tuple[int | None, str]:
    """Status of /readyz, None where there is no answer, and either in words."""
    from http.client import HTTPConnection, HTTPException

    try:
        connection = HTTPConnection(host, timeout=timeout) if scheme == "http" else _encrypted(host, timeout)
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        reason = f"{response.status} {response.read(200).decode('utf-8', 'replace').strip()}"
        connection.close()
    except (OSError, HTTPException) as error:
        return None, f"{host}: {str(error) or type(error).__name__}"
    return response.status, reason


def _encrypted(host: str, timeout: float) -> "HTTPConnection":
    import ssl
    from http.client import HTTPSConnection

    # The certificate is not checked: it is for the name that clients use, rarely for the address asked here, and the
    # question holds no secret.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, timeout=timeout, context=context)
