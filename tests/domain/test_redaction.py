"""What is taken out of bodies."""

import json
import time

import pytest

from sluicegate.domain.redaction import REDACTED, SHORTEST_SECRET, Kind, Redactor

KEYS = [
    "sk-proj-aBcDeFgHiJkLmNoPqRsT1234",
    "sk-ant-api03-abcdefghijklmnop",
    "sk_live_abcdefghijklmnop1234",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA-1234567890abcdefghijklmnopqrs",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijkl",
    "glpat-abcdefghijklmnopqrst",
    "xoxb-1234567890-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/=\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("key", KEYS)
def test_shapes_of_credentials_are_taken_out(key: str) -> None:
    """From a text, from a text of JSON, and from JSON within one."""
    redactor = Redactor()
    assert redactor.redacted(f"my key is {key} indeed") == f"my key is {REDACTED} indeed"
    inner = json.dumps({"a": f"my key is {key}"})
    for body in (inner, json.dumps({"arguments": inner}), json.dumps([{"arguments": [inner]}], indent=2)):
        clean = redactor.redacted(body)
        assert REDACTED in clean
        assert key.splitlines()[0] not in clean
        json.loads(clean)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("write to jane.doe+x@mail.example.com now", f"write to {REDACTED} now"),
        ("the card 4111 1111 1111 1111 is mine", f"the card {REDACTED} is mine"),
        ("the card 4111-1111-1111-1111.", f"the card {REDACTED}."),
        ("the number 4111111111111112 is none", "the number 4111111111111112 is none"),
        ("0000000000000000", "0000000000000000"),
        ("Authorization: Bearer abcdefghij", f"Authorization: {REDACTED}"),
        ("postgresql://me:secret-word@host/db", f"postgresql://{REDACTED}@host/db"),
        (
            "a bearer of news; risk-averse; task-force-that-is-long",
            "a bearer of news; risk-averse; task-force-that-is-long",
        ),
    ],
)
def test_texts(text: str, clean: str) -> None:
    """Addresses, numbers of cards by their check digit, credentials; and nothing else."""
    assert Redactor().redacted(text) == clean


def test_only_what_was_asked_for_goes() -> None:
    """By kind."""
    text = "a@b.com 4111111111111111 AKIAIOSFODNN7EXAMPLE"
    assert Redactor(kinds=()).redacted(text) == text
    kinds: tuple[Kind, ...] = ("email",)
    assert Redactor(kinds=kinds).redacted(text) == text.replace("a@b.com", REDACTED)
    assert Redactor(kinds=("card", "key")).redacted(text) == f"a@b.com {REDACTED} {REDACTED}"


@pytest.mark.parametrize(
    ("body", "clean"),
    [
        ('{"Password" : "x", "b": 1.50}', '{"Password" : "[redacted]", "b": 1.50}'),
        ('{"password": {"a": ["}"], "b": "\\""}, "c": 1}', '{"password": "[redacted]", "c": 1}'),
        ('{"password": [1, [2]], "c": 1}', '{"password": "[redacted]", "c": 1}'),
        ('{"password":null,"c":1}', '{"password":"[redacted]","c":1}'),
        ('{"pass\\u0077ord":"x"}', '{"pass\\u0077ord":"[redacted]"}'),
        ('{"a": {"password": 12}}', '{"a": {"password": "[redacted]"}}'),
        ('{"text": "password"}', '{"text": "password"}'),
        ('{"password": {"a": "b', '{"password": "[redacted]"'),
        ('{"password": "b', '{"password": "[redacted]"'),
        ('{"password":', '{"password":"[redacted]"'),
        ('{"password"', '{"password"'),
        ('\ufeff {"password": 1}', '\ufeff {"password": "[redacted]"}'),
        ('{"args": "{\\"password\\": \\"x\\"}"}', '{"args": "{\\"password\\": \\"[redacted]\\"}"}'),
    ],
)
def test_named_members_go(body: str, clean: str) -> None:
    """Whatever their value, at any depth, and where the JSON breaks off; nothing else changes."""
    assert Redactor(fields=("password",)).redacted(body) == clean


def test_escapes_hide_nothing() -> None:
    """A text of JSON is looked at as it is meant; one that is wrong as it is written."""
    redactor = Redactor(secrets=("longer-secret",))
    assert redactor.redacted('{"a": "jane\\u0040mail.com"}') == f'{{"a": "{REDACTED}"}}'
    assert redactor.redacted('{"a": "\\u006conger-secret"}') == f'{{"a": "{REDACTED}"}}'
    assert redactor.redacted('{"a": "\\x jane@mail.com"}') == f'{{"a": "\\\\x {REDACTED}"}}'
    # A tab that is not escaped is no JSON, and is read by most all the same.
    assert redactor.redacted('{"a": "jane\\u0040mail.com\t"}') == f'{{"a": "{REDACTED}\\t"}}'
    assert redactor.redacted('{"a": "caf\\u00e9", "b": "\\n"}') == '{"a": "caf\\u00e9", "b": "\\n"}'


def test_json_in_texts_of_json_is_looked_into() -> None:
    """In a text of a text, too, as tools' arguments are written; not for ever."""
    bodies = [json.dumps({"password": "x"})]
    for _ in range(3):
        bodies.append(json.dumps({"a": bodies[-1]}))
    clean = [Redactor(fields=("password",)).redacted(body) for body in bodies]
    assert [REDACTED in body for body in clean] == [True, True, True, False]
    assert json.loads(json.loads(clean[2])["a"])["a"] == json.dumps({"password": REDACTED})


def test_names_of_members_are_looked_at() -> None:
    """They may be what an object is looked up by: addresses, keys."""
    redactor = Redactor(secrets=("known secret",))
    assert redactor.redacted('{"jane@mail.com" : {"b": 1}}') == f'{{"{REDACTED}" : {{"b": 1}}}}'
    assert redactor.redacted('{"jane\\u0040mail.com":1}') == f'{{"{REDACTED}":1}}'
    assert redactor.redacted('{"a known secret": 1, "caf\\u00e9": 2}') == f'{{"a {REDACTED}": 1, "caf\\u00e9": 2}}'
    inner = json.dumps({KEYS[0]: 1})
    assert redactor.redacted(json.dumps({"a": inner})) == json.dumps({"a": f'{{"{REDACTED}": 1}}'})


def test_numbers_are_looked_at() -> None:
    """What takes their place is JSON."""
    assert Redactor().redacted('{"n": 4111111111111111, "m": 7}') == f'{{"n": "{REDACTED}", "m": 7}}'


def test_known_secrets_go_whatever_they_look_like() -> None:
    """The longest first; those that are too short to be told from words stay."""
    redactor = Redactor(kinds=(), secrets=("the secret", "the secret word", "short"))
    assert redactor.redacted("tell the secret word, the secret, short") == f"tell {REDACTED}, {REDACTED}, short"
    assert "the secret" not in repr(redactor)
    shortest = Redactor(kinds=(), secrets=("x" * SHORTEST_SECRET, "y" * (SHORTEST_SECRET - 1)))
    assert shortest.redacted("xxxxxxxx yyyyyyy") == f"{REDACTED} yyyyyyy"


def test_the_last_word_of_a_cut_text_goes() -> None:
    """Nobody can tell what it would have become."""
    redactor = Redactor()
    assert redactor.redacted("write to jane.do", is_cut=True) == "write to "
    assert redactor.redacted('{"a": "my key is sk-pro', is_cut=True) == '{"a": "my key is '
    assert redactor.redacted("whole text", is_cut=False) == "whole text"
    assert redactor.redacted("has an end \n", is_cut=True) == "has an end \n"
    assert redactor.redacted("long " + "word" * 200, is_cut=True) == "long " + "word" * 72
    assert redactor.redacted("", is_cut=True) == redactor.redacted("word", is_cut=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000,
        "1" * 300_000,
        "1 " * 150_000,
        '"\\' * 100_000,
        "{" * 300_000,
        '{"password":' * 20_000,
        "a@" * 100_000,
        "a." * 100_000,
        "a@b." * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 5_000,
        "://" * 100_000,
        "sk-" * 100_000,
        "eyJaaaaaaaa." * 30_000,
        "bearer " * 50_000,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "cut"])
@pytest.mark.parametrize("opening", ["", '{"a": "'])
def test_nothing_takes_long(opening: str, text: str, *, is_cut: bool) -> None:
    """Time in proportion to the text, whatever it is: some 300 KB in far less than seconds."""
    began = time.process_time()
    Redactor(fields=("password",), secrets=("not in there",)).redacted(opening + text, is_cut=is_cut)
    assert time.process_time() - began < 3.0
