"""What a JSON request's top-level fields state of its cost, in one decoding: mostly that there is none of them."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from sluicegate.wire.peek import field_span


class Stated(Struct, frozen=True):
    """The fields by which requests of all known APIs cap, multiply, price or put off what they take, or have other
    models take it; UNSET where there is none.

    A field that is null is there.
    """

    max_tokens: Any = UNSET
    max_completion_tokens: Any = UNSET
    max_output_tokens: Any = UNSET
    n_predict: Any = UNSET
    n: Any = UNSET
    best_of: Any = UNSET
    candidate_count: Any = UNSET
    camel_count: Any = field(default=UNSET, name="candidateCount")
    prompt: Raw | UnsetType = UNSET
    generation_config: Raw | UnsetType = UNSET
    camel_config: Raw | UnsetType = field(default=UNSET, name="generationConfig")
    service_tier: Any = UNSET
    camel_tier: Any = field(default=UNSET, name="serviceTier")
    speed: Any = UNSET
    inference_geo: Any = UNSET
    background: Any = UNSET
    models: Any = UNSET
    fallbacks: Any = UNSET


SILENT: Final = Stated()
"""None of them: the usual request."""

NAMES: Final = frozenset(Stated.__struct_encode_fields__)

_decode = msgspec.json.Decoder(Stated).decode


def stated_in(body: bytes) -> Stated | None:
    """What a body states; SILENT itself where that is nothing; None where it cannot be told here.

    That is what is no JSON object, or what msgspec alone refuses: half of a surrogate pair.
    """
    try:
        stated = _decode(body)
    except (ValueError, RecursionError):
        return None
    return SILENT if stated == SILENT else stated


def has_stored_prompt(body: bytes, stated: Stated | None) -> bool:
    """Whether a request names a prompt that the provider keeps, with texts and tools of its own (OpenAI's Responses).

    `stated` is what is known to be in it. Raises PeekError where that is given twice.
    """
    if stated is not None:
        return isinstance(stated.prompt, Raw) and bytes(stated.prompt).startswith(b"{")
    span = field_span(body, "prompt")
    return span is not None and body.startswith(b"{", span[0])


def runs_in_background(body: bytes) -> bool:
    """Whether a request has its answer made after it was answered (OpenAI's Responses: `background`).

    Raises PeekError where that is given twice.
    """
    span = field_span(body, "background")
    return span is not None and body[slice(*span)] not in {b"false", b"null"}
