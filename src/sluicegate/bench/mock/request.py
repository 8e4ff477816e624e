"""A request as the mock has received it."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs, unquote


@dataclass(frozen=True)
class Request:
    """One request. `headers` as they came, in order; `body` is empty where only its `size` in bytes is wanted."""

    method: str
    url: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    size: int = 0

    @cached_property
    def path(self) -> str:
        """The decoded path."""
        return path_of(self.url)

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The query's parameters."""
        return parse_qs(self.url.partition(b"?")[2].decode("latin-1"), keep_blank_values=True)

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name, given in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def family(self, prefix: bytes) -> dict[str, str]:
        """All headers whose name begins with `prefix`, by the rest of the name in lower case."""
        return {
            key[len(prefix) :].decode("latin-1").lower(): value.decode("latin-1")
            for key, value in self.headers
            if key[: len(prefix)].lower() == prefix
        }


def path_of(url: bytes) -> str:
    """Return the decoded path of a request target in origin form."""
    return unquote(url.partition(b"?")[0].decode("latin-1"))
