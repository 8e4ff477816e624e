"""The address the workers share: is it free, and keeping it for them."""

import errno
import os
import socket
from dataclasses import dataclass
from typing import Any

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is looked up, not bound
"""The addresses that stand for every interface, and where this machine finds itself then."""


class AddressError(Exception):
    """The address cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A bound socket that never listens: as long as it is open, only sockets with SO_REUSEPORT can have the address."""

    socket: socket.socket
    host: str
    port: int


def reserve(host: str, port: int) -> Reservation:
    """Take the address, for port 0 any free one. A name stands for its first address, IPv4 before IPv6.

    Raises AddressError.
    """
    family, address = _resolve(host, port)
    try:
        if port:
            # With SO_REUSEPORT, binding would succeed beside another gateway of the same user, and the kernel would
            # share the connections out between the two.
            _bound(family, address, is_shared=False).close()
        reserved = _bound(family, address, is_shared=True)
    except OSError as error:
        raise AddressError(_in_words(error, host, port)) from None
    bound = reserved.getsockname()
    return Reservation(reserved, host_of(bound), bound[1])


def host_of(bound: tuple[Any, ...]) -> str:
    """The host that a bound socket's name tells, a link's own address with its link (`fe80::1%eth0`, RFC 4007)."""
    link = bound[3] if len(bound) > 3 else 0
    return f"{bound[0]}%{socket.if_indextoname(link)}" if link else str(bound[0])


def url(host: str, port: int, *, is_tls: bool) -> str:
    """Where a client on this machine finds the address."""
    return f"{'https' if is_tls else 'http'}://{_bracketed(EVERYWHERE.get(host, host))}:{port}"


def _bracketed(host: str) -> str:
    """An IPv6 address as it stands before a port (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise AddressError(f"cannot listen on {host}: {error.strerror}; set server.host to an address") from None
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _bound(family: socket.AddressFamily, address: tuple[Any, ...], *, is_shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of a gateway that just stopped still linger on the address and do no harm.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # `::` is every interface for IPv4 too, here as in the workers, whatever net.ipv6.bindv6only says: where an
            # IPv4 program has the port, the start shall fail now and not with every worker.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _in_words(error: OSError, host: str, port: int) -> str:
    where = f"{_bracketed(host)}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"address already in use: {where}; stop what listens there, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"not permitted to listen on {where}: ports below 1024 need a privilege; choose another with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no address {host}: set server.host, or --host, to one it has"
    return f"cannot listen on {where}: {os.strerror(error.errno or 0)}"
