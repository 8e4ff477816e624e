"""How much a JSON request makes a model read: its own bytes, what they lead to, and what the provider's tools bring.

Rule. What cannot be told is taken for the worst, and nothing is told by the bytes where letters may hide as escapes.
"""

from msgspec import Struct

from sluicegate.wire.caps import is_plain, is_self_contained, most_read, spelled_out
from sluicegate.wire.paid_tools import own_tool
from sluicegate.wire.stated import Stated, has_stored_prompt


class Reach(Struct, frozen=True):
    """The most tokens that a request can be read as; None where its bytes do not tell.

    `is_text` says that a tokenizer can count them. `is_repeated` says that the model may read more than it holds at
    once: a provider that runs tools has it read everything again after each.
    """

    tokens: int | None
    is_text: bool = False
    is_repeated: bool = False


_BEYOND = Reach(None)
_REPEATED = Reach(None, is_repeated=True)


def reach_of(body: bytes, stated: Stated | None, image_tokens: int) -> Reach:
    """What these bytes are read as. `stated` is what is known to be in them, `image_tokens` the most for one image.

    Raises PeekError where nobody can read them.
    """
    if has_stored_prompt(body, stated):
        return _REPEATED
    spelled = spelled_out(body)
    if is_plain(spelled):
        return Reach(len(body), is_text=True)
    if own_tool(spelled) is not None:
        return _REPEATED
    if not is_self_contained(spelled):
        return _BEYOND
    tokens = most_read(spelled, image_tokens)
    return Reach(tokens, is_text=most_read(spelled, 1) == len(spelled))
