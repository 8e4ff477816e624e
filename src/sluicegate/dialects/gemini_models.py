"""Where requests of the Gemini API name their model once more, beside the path.

Each item of `batchEmbedContents` must repeat the path's model, and so do the request within `countTokens` and a batch
(https://ai.google.dev/api/embeddings, https://ai.google.dev/api/tokens).
"""

from typing import Final

import msgspec
from msgspec import Raw

from sluicegate.wire.peek import with_field

_WITHIN: Final = frozenset({"generateContentRequest", "generate_content_request", "batch"})
"""Members that are such a request themselves."""
_EACH: Final = "requests"
"""The member that is a list of them."""

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode


def with_model_repeated(body: bytes, model: str) -> bytes:
    """The body with another model wherever it repeats the path's; as it is where it cannot be read."""
    if b'"model"' not in body:
        return body
    name = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    try:
        return _replaced(body, msgspec.json.encode(name))
    except (ValueError, RecursionError):
        # Also a model that is given twice: that is for the provider to refuse.
        return body


def _replaced(text: bytes, name: bytes) -> bytes:
    """Splice it in; every value that is not a model keeps its bytes."""
    for member, raw in _decode_members(text).items():
        if member == "model":
            text = with_field(text, member, name)
        elif member in _WITHIN:
            text = with_field(text, member, _replaced(bytes(raw), name))
        elif member == _EACH:
            items = [_replaced(bytes(item), name) for item in _decode_items(raw)]
            text = with_field(text, member, b"[%b]" % b",".join(items))
    return text
