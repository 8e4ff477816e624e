"""What a document tells its reader to type, taken from the document itself."""

import re
from collections.abc import Iterator

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (?! )(.+)$", re.MULTILINE)
_INLINE = re.compile(r"`((?:curl|docker|make|openssl|pip|python|sluicegate) [^`]+)`")
_SHELL = frozenset({"sh", "bash", "console", "shell"})


def commands(text: str) -> list[str]:
    """Every command of a Markdown document, in blocks of shell, indented blocks and backquotes, each once and in order.

    One that goes on after a backslash at a line's end is one command.
    """
    blocks = [block[2] for block in _FENCE.finditer(text) if block[1] in _SHELL]
    rest = _FENCE.sub("", text)
    found = [line for block in blocks for line in _lines(block)]
    found += [line for match in _INDENTED.finditer(rest) for line in _lines(match[1])]
    found += [match[1] for match in _INLINE.finditer(rest.replace("\n", " "))]
    return list(dict.fromkeys(found))


def fenced(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [block[2] for block in _FENCE.finditer(text) if block[1] == language]


def _lines(block: str) -> Iterator[str]:
    for line in re.sub(r"\\\n *", "", block).splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()
