"""Where a Redis or Valkey server or cluster is: what the setting `redis` may say."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

DEFAULT_PORT = 6379


class RedisAddressError(ValueError):
    """Not an address of a Redis server. It does not repeat the address: there may be a password in it."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One server (`hosts` has one entry, or none and there is a `path`), or some nodes of a cluster.

    The `tls_…` files are PEM: authorities to trust instead of the system's, and our own certificate with its key.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = None
    is_tls: bool = False
    is_cluster: bool = False
    tls_authorities: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None

    def __str__(self) -> str:
        """As people know it, without the password."""
        if self.path:
            return f"Redis {self.path}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"Redis cluster {hosts}" if self.is_cluster else f"Redis {hosts}/{self.database}"

    def __repr__(self) -> str:
        """Like `str`: addresses get into logs."""
        return f"<RedisAddress {self}>"


_SCHEMES = ("redis", "rediss", "redis+cluster", "rediss+cluster", "unix")
_FILES = {"ca": "tls_authorities", "cert": "tls_certificate", "key": "tls_key"}
_FORMS = (
    "a Redis server is redis://user:password@host:port/0, rediss://… with TLS, unix:///path/of/the/socket, or a"
    " cluster: redis+cluster://user:password@host:port,host:port"
)


def parse(url: str) -> RedisAddress:
    """Read an address.

    The query may say `cluster=true`, `db=1` (a socket's; else it is the path), and with TLS `ca`, `cert` and `key`,
    the paths of PEM files. User, password and paths are percent-encoded. Raises RedisAddressError.
    """
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise RedisAddressError(_FORMS) from None
    if parts.scheme not in _SCHEMES or parts.fragment:
        raise RedisAddressError(_FORMS)
    username, password, hosts_text = _login(parts.netloc)
    is_cluster = parts.scheme.endswith("+cluster") or _is_true(query.pop("cluster", "false"))
    is_tls = parts.scheme.startswith("rediss")
    files = {_FILES[name]: query.pop(name) for name in _FILES if is_tls and name in query}
    path = unquote(parts.path)
    database = query.pop("db", "0" if parts.scheme == "unix" else path.strip("/") or "0")
    if query:
        raise RedisAddressError(
            "after ? a Redis address takes cluster=true, db=1 and, with rediss://, ca=, cert= and key="
        )
    if not (database.isascii() and database.isdigit() and len(database) < 5):
        raise RedisAddressError("a Redis database is a number, as in redis://host:6379/0")
    if is_cluster and (parts.scheme == "unix" or int(database)):
        raise RedisAddressError("a Redis cluster has only database 0, and no socket path")
    if parts.scheme == "unix":
        if not path.startswith("/") or hosts_text:
            raise RedisAddressError("a Redis socket is named by unix:///path/of/the/socket")
        return RedisAddress(path=path, database=int(database), username=username, password=password)
    hosts = _hosts(hosts_text)
    if len(hosts) > 1 and not is_cluster:
        raise RedisAddressError("several Redis hosts are the nodes of a cluster: redis+cluster://host:port,host:port")
    return RedisAddress(
        hosts=hosts,
        database=int(database),
        username=username,
        password=password,
        is_tls=is_tls,
        is_cluster=is_cluster,
        **files,
    )


def _login(netloc: str) -> tuple[str | None, str | None, str]:
    """User, password (None where there is none) and the hosts."""
    login, _, hosts = netloc.rpartition("@")
    if "@" in login:
        raise RedisAddressError("what is special in a Redis user's name or password is written as %40 for @, %2F for /")
    username, _, password = login.partition(":")
    return unquote(username) or None, unquote(password) or None, hosts


def _is_true(text: str) -> bool:
    if text not in ("true", "false"):
        raise RedisAddressError("in a Redis address, cluster is true or false")
    return text == "true"


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for one in text.split(","):
        try:
            parts = urlsplit(f"//{one}")
            host, port = parts.hostname, parts.port
        except ValueError:
            raise RedisAddressError("the Redis address has no valid host or port") from None
        if not host or port == 0 or "/" in one or "@" in one:
            raise RedisAddressError("the Redis address has no valid host or port")
        hosts.append((host, port or DEFAULT_PORT))
    return tuple(hosts)
