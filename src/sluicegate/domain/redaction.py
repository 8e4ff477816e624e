"""What is taken out of bodies before anybody keeps them: credentials, card numbers, addresses of mail, named fields.

Rule 1. Nothing but what is taken out changes: a JSON text keeps its order, its numbers and its white space.
Rule 2. JSON is looked at as it is meant: names and texts are unescaped first, and JSON within a text of it as well.
Rule 3. A text that was cut loses its last word, of which nobody can tell any more what it was.
Rule 4. Every pattern takes time in proportion to the text, whatever the text is.
"""

import json
import re
from collections.abc import Callable, Collection
from typing import Final, Literal

Kind = Literal["email", "card", "key"]
KINDS: Final[tuple[Kind, ...]] = ("email", "card", "key")

REDACTED: Final = "[redacted]"
SHORTEST_SECRET: Final = 8
"""Characters: what is shorter would be found in every other word."""
_DEEPEST: Final = 3
"""JSON in texts of JSON that is looked into."""
_MARK: Final = "\ufeff"
"""Some programs put it before a text (RFC 8259 section 8.1)."""
_LONGEST_WORD: Final = 512
"""Characters of a last word that are cut off; few credentials are longer."""

_EMAIL: Final = re.compile(r"(?<![\w.%+-])[\w.%+-]+@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_CARD: Final = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_KEY: Final = re.compile(
    r"""
    (?<![A-Za-z0-9])(?:
        (?:sk|pk|rk|gsk|xai|hf|pat|key|whsec|tok|apk)[-_](?:live_|test_|proj-|ant-|or-)?[A-Za-z0-9_+/=-]{16,}
      | (?:AKIA|ASIA)[0-9A-Z]{16}
      | AIza[0-9A-Za-z_-]{30,}
      | gh[opsur]_[A-Za-z0-9]{20,}
      | github_pat_[A-Za-z0-9_]{20,}
      | glpat-[A-Za-z0-9_-]{16,}
      | xox[abeoprs]-[A-Za-z0-9-]{8,}
      | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?
    )
  | (?i:(?<![A-Za-z])(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}
  | (?<=://)[^\s/@:"']{1,256}:[^\s/@"']{1,256}(?=@)
  | -----BEGIN\ [A-Z ]{0,32}PRIVATE\ KEY-----[^-]*(?:-----END\ [A-Z ]{0,32}PRIVATE\ KEY-----)?
    """,
    re.VERBOSE,
)
"""Shapes of credentials: of OpenAI, Anthropic and many more, Stripe, AWS, Google, GitHub, GitLab, Slack, JSON Web
Tokens (RFC 7519), HTTP's Authorization, addresses with a password, private keys (RFC 7468)."""

_LITERAL: Final = re.compile(r'"((?:[^"\\]|\\.)*)("?)', re.DOTALL)
"""A text of JSON; the second group is empty where it has no end."""
_COLON: Final = re.compile(r"\s*:\s*")
_SCALAR: Final = re.compile(r"[^\s,{}\[\]\"]+")
_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]]', re.DOTALL)


class Redactor:
    """Takes out what it was made for."""

    def __init__(
        self, *, kinds: Collection[Kind] = KINDS, fields: Collection[str] = (), secrets: Collection[str] = ()
    ) -> None:
        """`fields` are names of JSON members, in any case, whose values go whatever they are; `secrets` are known."""
        self._patterns = _patterns(kinds)
        self._fields = frozenset(name.casefold() for name in fields)
        # The longest first: one may be the beginning of another.
        self._secrets = sorted({one for one in secrets if len(one) >= SHORTEST_SECRET}, key=len, reverse=True)

    def __repr__(self) -> str:
        """Tell how much it knows; no secret."""
        return f"<Redactor patterns={len(self._patterns)} fields={len(self._fields)} secrets={len(self._secrets)}>"

    def redacted(self, text: str, *, is_cut: bool = False) -> str:
        """The text without them. `is_cut`: it is the beginning of a longer one."""
        if is_cut:
            text = _without_last_word(text)
        return self._any(text, 0)

    def _any(self, text: str, depth: int) -> str:
        if depth < _DEEPEST and text.removeprefix(_MARK).lstrip()[:1] in ("{", "["):
            return self._json(text, depth)
        return self._plain(text)

    def _plain(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        for pattern, replace in self._patterns:
            text = pattern.sub(replace, text)
        return text

    def _json(self, text: str, depth: int) -> str:
        """What is JSON, or begins as if it were: each of its texts, and what is between them."""
        parts: list[str] = []
        at = 0
        while (literal := _LITERAL.search(text, at)) is not None:
            parts.append(self._between(text[at : literal.start()]))
            at = literal.end()
            meant = _meant(literal[1])
            colon = _COLON.match(text, at)
            has_end = bool(literal[2])
            if colon is None or not has_end:
                parts.append(self._literal(literal[0], literal[1], meant, depth, has_end=has_end))
                continue
            parts.append(self._literal(literal[0], literal[1], meant, _DEEPEST, has_end=has_end) + colon[0])
            at = colon.end()
            if meant.casefold() in self._fields:
                parts.append(f'"{REDACTED}"')
                at = _end_of_value(text, at)
        return "".join([*parts, self._between(text[at:])])

    def _literal(self, whole: str, escaped: str, meant: str, depth: int, *, has_end: bool) -> str:
        """A text of JSON; as it is written where nothing in it goes."""
        clean = self._any(meant, depth + 1)
        if clean == meant and self._plain(escaped) == escaped:
            return whole
        return json.dumps(clean, ensure_ascii=False)[: None if has_end else -1]

    def _between(self, text: str) -> str:
        """Numbers, and what should not be there."""
        clean = self._plain(text)
        return text if clean == text else clean.replace(REDACTED, f'"{REDACTED}"')


def _without_last_word(text: str) -> str:
    """The text up to the white space before its end, or without as many characters as a word has at most."""
    end = text[-_LONGEST_WORD:]
    # By hand: a pattern is tried at each character of the text, and Rule 4 would not hold.
    return text[: len(text) - len(end.split()[-1])] if end and not end[-1].isspace() else text


def _meant(escaped: str) -> str:
    """A text of JSON without its escapes; with them where they are wrong."""
    if "\\" not in escaped:
        return escaped
    try:
        return str(json.loads(f'"{escaped}"', strict=False))
    except ValueError:
        return escaped


def _end_of_value(text: str, at: int) -> int:
    """Where the JSON value ends that begins here: at the end of all, where it has none."""
    first = text[at : at + 1]
    if first == '"':
        literal = _LITERAL.match(text, at)
        return literal.end() if literal is not None else len(text)
    if first not in ("{", "["):
        scalar = _SCALAR.match(text, at)
        return scalar.end() if scalar is not None else at
    depth = 0
    for part in _PART.finditer(text, at):
        depth += (part[0] in ("{", "[")) - (part[0] in ("}", "]"))
        if not depth:
            return part.end()
    return len(text)


def _card(found: re.Match[str]) -> str:
    """Nothing of a card's number, by its check digit (ISO/IEC 7812-1); any other number as it is."""
    digits = [int(character) for character in found[0] if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    is_card = (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and any(digits)
    return REDACTED if is_card else found[0]


def _patterns(kinds: Collection[Kind]) -> tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]:
    # Keys first: an address with a password in it looks like one of mail.
    known: dict[Kind, tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = {
        "key": (_KEY, REDACTED),
        "card": (_CARD, _card),
        "email": (_EMAIL, REDACTED),
    }
    return tuple(known[kind] for kind in known if kind in kinds)
