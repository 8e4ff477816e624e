"""The trace that a client's request belongs to, by its header fields: https://www.w3.org/TR/trace-context/.

What is not as the recommendation has it says nothing: such a field is passed over, and the request is served.
"""

import re
from typing import Final

_LONGEST_PARENT: Final = 512
"""Bytes that are looked at; of what later versions add nothing is kept."""
_LONGEST_STATE: Final = 512
"""What the recommendation asks everybody to pass on at least (section 3.3.1.5)."""
_MOST_MEMBERS: Final = 32
"""Section 3.3.1.1."""
_PARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[ -~]*)?")
_BASE: Final = 55
"""Bytes of version, ids and flags, which is all that version 00 has."""
_MEMBER: Final = re.compile(r"[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]")


def parent_of(value: bytes) -> str:
    """Version, ids and flags of a `traceparent`, 55 characters; empty where it is none (section 3.2.2).

    A later version may add to them behind a dash, version 00 may not.
    """
    value = value.strip(b" \t")
    if len(value) > _LONGEST_PARENT or _PARENT.fullmatch(value) is None:
        return ""
    if len(value) > _BASE and value.startswith(b"00"):
        return ""
    return value[:_BASE].decode("ascii")


def state_of(value: str) -> str:
    """The members of a `tracestate`, its fields joined by commas; empty where they are none (section 3.3.1).

    That is also what is longer than everybody must pass on, or names anybody twice.
    """
    if len(value) > _LONGEST_STATE:
        return ""
    members = [member.strip(" \t") for member in value.split(",") if member.strip(" \t")]
    keys = {member.partition("=")[0] for member in members}
    if len(keys) != len(members) or len(members) > _MOST_MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return ""
    return ",".join(members)
