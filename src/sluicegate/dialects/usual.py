"""What is alike in most provider APIs; a dialect says only where its own differs."""

from typing import ClassVar

from sluicegate.dialects.base import Resets
from sluicegate.dialects.limits import openai_form


class Usual:
    """An API whose bodies are JSON, name the model and ask for streams, and whose key is a bearer token (RFC 6750)."""

    credential_parameters: ClassVar[frozenset[str]] = frozenset()
    error_type: ClassVar[bytes] = b"application/json"
    tells_service: ClassVar[bool] = False

    def __repr__(self) -> str:
        """Tell which one it is."""
        return f"<{type(self).__name__}>"

    def credential_headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The key as a bearer token."""
        return (("authorization", f"Bearer {api_key}"),)

    def default_headers(self) -> tuple[tuple[str, str], ...]:
        """None are required."""
        return ()

    def model_in_path(self, path: str) -> str | None:
        """Never: the body names it."""
        return None

    def with_model_in_path(self, path: str, model: str) -> str:
        """The path as it is."""
        return path

    def with_model_repeated(self, body: bytes, model: str) -> bytes:
        """The body as it is."""
        return body

    def is_stream_request(self, path: str, query: str) -> bool:
        """Never: the body asks for streams."""
        return False

    def can_include_usage(self, operation: str) -> bool:
        """Never: streams report it unasked, or not at all."""
        return False

    def is_usage_only(self, payload: bytes) -> bool:
        """Never."""
        return False

    def limit_form(self, metric: str, maximum: int, resets: Resets | None) -> bytes:
        """`x-ratelimit-…`, which most clients know, whether their API has it or not."""
        return openai_form(metric, maximum, resets)
