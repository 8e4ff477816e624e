"""Which methods an allowlist grants a path.

In a rule's path `*` stands for one segment, or within a segment for any run of characters (`*:generateContent`); a
final `**` stands for any rest, also none.
"""

from collections.abc import Sequence
from typing import Final

from sluicegate.domain.snapshot import AllowRule

_WITH_HEAD: Final = dict.fromkeys(("GET", "HEAD"))


def allowed_methods(rules: Sequence[AllowRule], path: str) -> tuple[str, ...]:
    """The methods allowed on `path`, each once, in the rules' order; () where no rule knows the path.

    HEAD follows GET, of which it is the answer without the body (RFC 9110 section 9.3.2).
    """
    segments = path.split("/")
    methods: dict[str, None] = {}
    for rule in rules:
        if _is_match(rule.path.split("/"), segments):
            for method in rule.methods:
                methods.update(_WITH_HEAD if method == "GET" else {method: None})
    return tuple(methods)


def _is_match(pattern: list[str], segments: list[str]) -> bool:
    if pattern[-1] == "**":
        pattern = pattern[:-1]
        if pattern == segments[: len(pattern)]:
            return True
        segments = segments[: len(pattern)]
    return len(pattern) == len(segments) and all(map(_is_segment_match, pattern, segments))


def _is_segment_match(pattern: str, segment: str) -> bool:
    """An asterisk never stands for nothing: `files/` is not `files/*`."""
    before, asterisk, after = pattern.partition("*")
    if not asterisk:
        return pattern == segment
    return len(segment) > len(before) + len(after) and segment.startswith(before) and segment.endswith(after)
