"""What schemathesis cannot know of this API: an idempotency key that is used for two bodies is rightly refused."""

from itertools import count
from typing import Any

import schemathesis

_HEADER = "Idempotency-Key"
_numbers = count()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Have each valid key used once."""
    del context, kwargs
    key = case.headers.get(_HEADER) if case.headers else None
    if key and key.isascii() and key.isprintable() and " " not in key and len(key) < 200:
        case.headers[_HEADER] = f"{next(_numbers)}-{key}"
