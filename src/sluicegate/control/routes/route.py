"""One row of the table of routes: who may do what, and what does it."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Least = Literal["anyone", "caller", "viewer", "organization_admin", "admin", "root"]
"""The least that is asked of who uses a route. `caller` is a caller's own token; from `viewer` on a manager's role.
Everyone above `organization_admin` manages all organisations; objects of another one are checked in the use cases."""


class Route(NamedTuple):
    """`status` is that of success; `answer` is the form of its body, where the endpoint makes the Response itself.

    `media` are the media types of a body that is not JSON, beside that of `answer` if there is one; `takes`
    those of a request's body that the endpoint reads itself. `takes_rest`: the path's last part may have slashes.
    """

    method: str
    path: str
    least: Least
    endpoint: Callable[..., Any]
    status: int = 200
    answer: Any = None
    media: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    takes_rest: bool = False

    @property
    def pattern(self) -> str:
        """The path as it is matched."""
        return f"{self.path.removesuffix('}')}:path}}" if self.takes_rest else self.path
