"""Which proxy the environment names for a provider, by curl's convention.

Rule 1. `https_proxy` or `http_proxy` by the provider's scheme, else `all_proxy`; lower case first; empty is unset.
Rule 2. `no_proxy` lists hosts, domains (and all below them, `*.` or not), addresses and networks, perhaps with a port;
        `*` is all.
Rule 3. This machine and Unix sockets are never asked through a proxy: its `localhost` is another one.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from sluicegate.config.addresses import parse_proxy
from sluicegate.domain.snapshot import Origin


class ProxyVariableError(ValueError):
    """A variable does not hold a proxy we can use; `variable` is its name."""

    def __init__(self, variable: str, message: str) -> None:
        """`message` says what is wrong without the value, which may hold a password."""
        super().__init__(message)
        self.variable = variable


def proxy_for(origin: Origin, environment: Mapping[str, str]) -> str | None:
    """The proxy's URL in the form of `Provider.proxy`, or None. Raises ProxyVariableError."""
    if origin.scheme == "unix" or _is_here(origin.host):
        return None
    names = [f"{origin.scheme}_proxy", "all_proxy"]
    spelt = [spelling for name in names for spelling in (name, name.upper())]
    variable = next((name for name in spelt if environment.get(name)), None)
    if variable is None or is_excepted(origin, environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
        return None
    try:
        return parse_proxy(environment[variable])
    except ValueError as error:
        raise ProxyVariableError(variable, str(error)) from None


def is_excepted(origin: Origin, exceptions: str) -> bool:
    """Whether a `no_proxy` list, separated by commas or spaces, covers the origin."""
    return any(_covers(entry, origin) for entry in exceptions.lower().replace(",", " ").split())


def _covers(entry: str, origin: Origin) -> bool:
    if entry == "*":
        return True
    address = _address(origin.host)
    if address is not None and "/" in entry:
        try:
            return address in ip_network(entry, strict=False)
        except ValueError:
            return False
    host, port = _without_port(entry)
    if port not in {"", str(origin.port)}:
        return False
    if address is not None:
        return _address(host) == address
    domain = host.removeprefix("*.").strip(".")
    name = origin.host.rstrip(".")
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))


def _without_port(entry: str) -> tuple[str, str]:
    """Split `host:port`, `[v6]:port`, and leave a bare IPv6 address whole."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = entry.partition(":")
    return (entry, "") if ":" in port else (host, port)


def _is_here(host: str) -> bool:
    address = _address(host)
    return host.rstrip(".") == "localhost" if address is None else address.is_loopback


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
