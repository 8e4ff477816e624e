"""A YAML file → plain values, and the line each of them stands on.

Rule 1. Only the tags of plain data are known; nothing in a file can name a Python object.
Rule 2. A key given twice is a problem, never a silent winner.
Rule 3. Timestamps stay text: what they mean is the schema's to decide.
Rule 4. No message repeats a piece of the file longer than a character: it might be a secret.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from sluicegate.config.problem import ConfigurationError, Location, Problem, written

_DEEPEST = 32
"""Levels; no setting is deeper than seven."""
_MOST_NODES = 100_000
"""Aliases multiply: nine lines can stand for a billion values. A file of 16,384 tokens has some 50,000 nodes."""

_REFERENCE = re.compile(r"\$\{[^{}\n]*\}")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_PLAIN = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null"))
_TEXT = frozenset(f"tag:yaml.org,2002:{name}" for name in ("timestamp", "value"))
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds. `lines` counts from 1 and has an entry for every location in `data`."""

    data: dict[str, Any]
    lines: dict[Location, int]
    problems: tuple[Problem, ...] = ()


def parse(text: str, *, file: str) -> Document:
    """Read one YAML document; an empty one gives an empty mapping. Raises ConfigurationError where it is no YAML."""
    opening, closing = _stand_ins(text)
    # Inside `{…}` YAML reads the braces of `${VAR}` as its own. Other characters stand in for them while it reads, one
    # for one, so that marks stay true.
    hidden = _REFERENCE.sub(lambda match: f"${opening}{match[0][2:-1]}{closing}", text)
    builder = _Builder(file, str.maketrans({opening: "{", closing: "}"}))
    try:
        root = yaml.compose(hidden, Loader=yaml.SafeLoader)
        data = {} if root is None else builder.build(root, ())
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError([_syntax_problem(error, file)]) from None
    except yaml.reader.ReaderError as error:
        line = hidden.count("\n", 0, error.position) + 1
        raise ConfigurationError([Problem(file, line, "", "holds a character that YAML does not allow")]) from None
    except RecursionError:
        raise ConfigurationError([Problem(file, None, "", "is nested too deeply")]) from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigurationError([Problem(file, 1, "", "must be a mapping of settings")])
    return Document(data, builder.lines, tuple(builder.problems))


def _stand_ins(text: str) -> tuple[str, str]:
    """Two characters of the private use area that the text does not use."""
    unused = (character for character in map(chr, range(0xE000, 0xF8FF)) if character not in text)
    return next(unused), next(unused)


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    """Say what the parser says, less the words it quotes from the file."""
    mark = error.problem_mark or error.context_mark
    message = _QUOTED.sub(_shortened, error.problem or "cannot be read as YAML").strip()
    if "'\\t'" in (error.problem or ""):
        message = "indent with spaces, not with tabs"
    if "alias" in message or "anchor" in message or "tag" in message:
        message += "; a value that begins with * & or ! must stand in quotes"
    return Problem(file, mark.line + 1 if mark else None, "", f"is not valid YAML: {message}")


def _shortened(quoted: re.Match[str]) -> str:
    """Keep single characters and the parser's own words (`'<scalar>'`)."""
    return quoted[0] if len(quoted[0]) <= 3 or quoted[0][1] == "<" else ""


@dataclass(slots=True)
class _Builder:
    """Turns nodes into values, once, noting lines and problems on the way."""

    file: str
    braces: dict[int, str]
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0
    scalars: yaml.constructor.SafeConstructor = field(default_factory=yaml.constructor.SafeConstructor)

    def build(self, node: yaml.Node, location: Location) -> Any:
        """Return the node's value."""
        self.nodes += 1
        if len(location) > _DEEPEST:
            line = _line(node)
            raise ConfigurationError([Problem(self.file, line, "", "is nested too deeply, or an alias holds itself")])
        if self.nodes > _MOST_NODES:
            raise ConfigurationError([Problem(self.file, None, "", f"stands for more than {_MOST_NODES} values")])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, location)
        return self._scalar(node, location)

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = _line(key_node)
            if key_node.tag == _MERGE:
                merged = self._merged(value_node, location) | merged
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(line, location, "has a key that is no text")
                continue
            key = key_node.value.translate(self.braces)
            here = (*location, key)
            if key in values:
                self._add(line, here, f"is given twice, first on line {self.lines[here]}")
                continue
            self.lines[here] = line
            values[key] = self.build(value_node, here)
        return merged | values

    def _merged(self, node: yaml.Node, location: Location) -> dict[str, Any]:
        """What `<<` brings in: one mapping or a list of them, of which the first to name a key wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values: dict[str, Any] = {}
        for source in sources:
            if isinstance(source, yaml.MappingNode):
                values = self._mapping(source, location) | values
            else:
                self._add(_line(node), location, "<< must name a mapping")
        return values

    def _sequence(self, node: yaml.SequenceNode, location: Location) -> list[Any]:
        values: list[Any] = []
        for index, item in enumerate(node.value):
            here = (*location, index)
            self.lines[here] = _line(item)
            values.append(self.build(item, here))
        return values

    def _scalar(self, node: yaml.Node, location: Location) -> Any:
        if node.tag in _TEXT:
            return node.value.translate(self.braces)
        if node.tag not in _PLAIN:
            self._add(_line(node), location, "has a tag that is not plain data")
            return None
        try:
            value = self.scalars.construct_object(node)
        except (ValueError, KeyError):
            self._add(_line(node), location, "does not hold what its tag says")
            return None
        return value.translate(self.braces) if isinstance(value, str) else value

    def _add(self, line: int, location: Location, message: str) -> None:
        self.problems.append(Problem(self.file, line, written(location), message))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
