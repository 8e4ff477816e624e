"""One request to the management API at a time: its answer, or why there is none."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from sluicegate import __version__
from sluicegate.cli.manage.failure import FAILED, UNREACHABLE, USAGE, ManageError, of_answer

if TYPE_CHECKING:
    import httpx2

MOST = 200
"""Entries of one page that the API gives at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered. `body` is None where there is none."""

    body: Any
    version: str | None
    """Of the object, from its entity tag; None where the answer has none."""


class Client:
    """A gateway's management API."""

    def __init__(self, base_url: str, credential: str, *, timeout: float, ca_file: str | None = None) -> None:
        """`timeout` is in seconds. Raises ManageError for what is no address."""
        import httpx2

        self._where, is_here = _address(base_url)
        self._http = httpx2.Client(
            base_url=self._where,
            headers={"authorization": f"Bearer {credential}", "user-agent": f"sluicegate/{__version__}"},
            timeout=timeout,
            verify=_trusting(ca_file),
            # A proxy on the way to this machine itself would only get to see the credential.
            trust_env=not is_here,
        )

    def __repr__(self) -> str:
        """Tell whom it asks."""
        return f"<Client {self._where}>"

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Send a request and read its answer. Raises ManageError, also for every status that is none of success."""
        import httpx2

        headers = {"if-match": if_match, "idempotency-key": idempotency_key}
        try:
            response = self._http.request(
                method,
                path,
                params=query,
                json=body,
                headers={name: value for name, value in headers.items() if value is not None},
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            raise _unreached(self._where, error) from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise ManageError(_lost(self._where, method, idempotency_key, error), UNREACHABLE) from None
        return self._read(response)

    def pour(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """Read an answer as it comes, whatever it is made of. Raises ManageError, also where it ends half way."""
        import httpx2

        try:
            with self._http.stream("GET", path, params=query) as response:
                if not response.is_success:
                    response.read()
                    self._read(response)
                if response.headers.get("content-type", "").startswith("text/html"):
                    raise ManageError(f"{self._where}{path}: the answer is a page; is this the gateway?", FAILED)
                yield from response.iter_bytes()
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            raise _unreached(self._where, error) from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise ManageError(f"{_lost(self._where, 'GET', None, error)}; this is not all of it", UNREACHABLE) from None

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[Any]:
        """Every page of a list from `query` on, one after the other."""
        wanted = dict(query)
        while True:
            page = self.ask("GET", path, query=wanted).body
            if not isinstance(page, dict) or not isinstance(page.get("data"), list):
                raise ManageError(f"{self._where}{path}: the answer is no list; is this the gateway?", FAILED)
            yield page
            cursor = page.get("next_cursor")
            if cursor is None:
                return
            if cursor == wanted.get("after"):
                raise ManageError(f"{self._where}{path}: the list does not go on after {cursor}", FAILED)
            wanted["after"] = str(cursor)

    def _read(self, response: "httpx2.Response") -> Answer:
        where = f"{self._where}{response.url.path}"
        try:
            body = json.loads(response.content) if response.content else None
        except ValueError:
            body, is_json = None, False
        else:
            is_json = True
        if response.is_redirect:
            # Not followed: the credential is for this address only.
            raise ManageError(f"{where}: {response.status_code}, the gateway is somewhere else", FAILED)
        if not response.is_success:
            raise of_answer(response.status_code, body, where)
        if not is_json:
            raise ManageError(f"{where}: the answer is not JSON; is this the gateway?", FAILED)
        tag = response.headers.get("etag")
        return Answer(body, None if tag is None else tag.removeprefix("W/").strip('"'))


def segment(value: str) -> str:
    """One segment of a path."""
    if not value.strip("."):
        # A client or proxy on the way would take these for the folder or the one above (RFC 3986 section 5.2.4).
        raise ManageError(f"{value!r} is no id", USAGE)
    return quote(value, safe="")


def _address(base_url: str) -> tuple[str, bool]:
    """The address without a slash at its end, and whether it is this machine's own."""
    try:
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        is_address = parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment or parts.username is not None:
        raise ManageError(
            "--manage-api-base-url must be http:// or https://, a host, and maybe a port and a path", USAGE
        )
    return base_url.rstrip("/"), _is_here(host)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _trusting(ca_file: str | None) -> Any:
    """Whose certificates are believed: those of the system, or of one file."""
    if ca_file is None:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ManageError(f"--ca-file {ca_file}: {error.strerror or error}", USAGE) from None


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _unreached(where: str, error: Exception) -> ManageError:
    advice = "does the gateway run there? Else name its address: --manage-api-base-url, or MANAGE_API_BASE_URL"
    return ManageError(f"{where}: {_words(error)}; {advice}", UNREACHABLE)


def _lost(where: str, method: str, idempotency_key: str | None, error: Exception) -> str:
    lines = [f"{where}: {_words(error)}"]
    if idempotency_key is not None:
        lines.append("It may have happened. The same command does it once in all, and shows the answer, with")
        lines.append(f"  --idempotency-key {idempotency_key}")
    elif method != "GET":
        lines.append("It may have happened: look before you ask again.")
    return "\n".join(lines)
