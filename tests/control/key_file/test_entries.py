"""The text of a key file: what is taken from it, and every way to say that something is wrong with it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.key_file.entries import KeyFileError, parse, seconds
from sluicegate.domain.limits import Limit, Rolling
from sluicegate.domain.tokens import digest

FULL: dict[str, Any] = {
    "key": "pk_0123456789abcdefghij",
    "name": "Ann",
    "model": "glm-4.7",
    "token_limit_per_5h": 100_000,
    "expiry_date": "2030-12-31T23:59:59Z",
    "created_at": "2026-01-01T00:00:00Z",
    "last_used": "2026-01-02T00:00:00.123Z",
    "total_lifetime_tokens": 7,
    "usage_windows": [{"window_start": "2026-01-02T00:00:00Z", "tokens_used": 7}],
}
LEAST = {name: FULL[name] for name in ("key", "name", "token_limit_per_5h", "expiry_date")}


def text(*entries: object, **more: object) -> bytes:
    """A file with these entries."""
    return json.dumps({"keys": entries, **more}).encode()


def refused(content: bytes) -> list[str]:
    """The problems of a text, without the file's name."""
    with pytest.raises(KeyFileError) as caught:
        parse(content, file="keys.json")
    return [line.removeprefix("keys.json") for line in str(caught.value).splitlines()]


def test_a_full_entry() -> None:
    """Every field of the format is understood."""
    (entry,) = parse(text(FULL), file="keys.json").entries
    assert entry.digest == digest(FULL["key"].encode())
    assert (entry.principal.model, entry.principal.limits, entry.shown) == (
        "glm-4.7",
        (Limit("token", entry.principal.token_id, "tokens", Rolling(18_000), 100_000, "soft"),),
        "pk_012…ghij",
    )
    principal = entry.principal
    assert (principal.name, principal.prefix, principal.expires_at) == ("Ann", "pk_012", 1_924_991_999.0)
    assert principal.is_active


def test_the_least_entry() -> None:
    """Key, name, limit and expiry are enough; what the gateway writes comes later."""
    (entry,) = parse(text(LEAST | {"expiry_date": None, "key": "pk_short"}), file="keys.json").entries
    assert (entry.principal.model, entry.principal.expires_at) == (None, None)
    assert (entry.principal.prefix, entry.shown) == ("", "****")


def test_an_empty_file_declares_nothing() -> None:
    """No keys is a list as good as any."""
    assert parse(b'\xef\xbb\xbf{"keys": []}', file="keys.json").entries == ()


def test_ids_follow_the_names() -> None:
    """The same for the same name whatever the key; one for each of several of a name; no key can be guessed by it."""
    one = parse(text(FULL, LEAST | {"key": "pk_other_one", "name": "Bob"}), file="keys.json").entries
    changed = parse(text(FULL | {"key": "pk_renewed_one"}), file="keys.json").entries
    assert one[0].principal.token_id == changed[0].principal.token_id != one[1].principal.token_id
    twins = parse(text(FULL, FULL | {"key": "pk_other_one"}), file="keys.json").entries
    assert twins[0].principal.token_id == one[0].principal.token_id != twins[1].principal.token_id


def test_what_is_not_ours_is_kept() -> None:
    """Fields that an operator adds, in entries and beside them, are written back in their places."""
    content = text(FULL | {"owner": {"team": "é"}, "ticket": 1.5}, comment="x")
    found = parse(content, file="keys.json")
    assert json.loads(found.written()) == json.loads(content)
    assert list(json.loads(found.written())["keys"][0])[-2:] == ["owner", "ticket"]
    assert "é".encode() in found.written()
    assert found.written().endswith(b"\n}\n")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"key": None}, "keys[0].key: must not be null"),
        ({"key": 5}, "keys[0].key: must be printable ASCII without spaces"),
        ({"key": "pk_with space"}, "keys[0].key: must be printable ASCII without spaces"),
        ({"key": "pk_öffentlich"}, "keys[0].key: must be printable ASCII without spaces"),
        ({"key": "pk_1234\n"}, "keys[0].key: must be printable ASCII without spaces"),
        ({"key": ""}, "keys[0].key: must have at least 8 characters"),
        ({"key": "pk_1234"}, "keys[0].key: must have at least 8 characters"),
        ({"model": 4}, "keys[0].model: must be printable text without spaces at its ends"),
        ({"model": " m"}, "keys[0].model: must be printable text without spaces at its ends"),
        ({"model": ""}, "keys[0].model: must be printable text without spaces at its ends"),
        ({"token_limit_per_5h": None}, "keys[0].token_limit_per_5h: must not be null"),
        ({"token_limit_per_5h": "100"}, "keys[0].token_limit_per_5h: must be a whole number, 0 or more"),
        ({"token_limit_per_5h": -1}, "keys[0].token_limit_per_5h: must be a whole number, 0 or more"),
        ({"token_limit_per_5h": True}, "keys[0].token_limit_per_5h: must be a whole number, 0 or more"),
        ({"total_lifetime_tokens": 1.5}, "keys[0].total_lifetime_tokens: must be a whole number, 0 or more"),
        ({"expiry_date": 5}, "keys[0].expiry_date: must be a time with its offset, such as 2030-12-31T23:59:59Z"),
        ({"expiry_date": "soon"}, "keys[0].expiry_date: must be a time with its offset, such as 2030-12-31T23:59:59Z"),
        ({"last_used": "2030-01-01T00:00"}, "keys[0].last_used: must be a time with its offset, such as"),
        ({"usage_windows": {}}, "keys[0].usage_windows: must be a list"),
        ({"usage_windows": [1]}, "keys[0].usage_windows[0]: must be an object"),
        ({"usage_windows": [{"tokens_used": 1}]}, "keys[0].usage_windows[0].window_start: must be a time"),
        (
            {"usage_windows": [{"window_start": "2026-01-01T00:00:00Z"}]},
            "keys[0].usage_windows[0].tokens_used: must be a whole number, 0 or more",
        ),
        ({"expiry_dat": "2030-01-01"}, None),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], problem: str | None) -> None:
    """File, entry and field, with the name of the key it is about; never a value of the file but that name."""
    content = text(FULL | change)
    if problem is None:
        assert len(parse(content, file="keys.json").entries) == 1, "ours is there too: it is a field of the operator's"
        return
    (told,) = refused(content)
    assert told.startswith(f": {problem}")
    assert told.endswith('(the key "Ann")')


@pytest.mark.parametrize("field", LEAST)
def test_a_missing_field_is_named(field: str) -> None:
    """What cannot be made up must be there."""
    (told,) = refused(text({name: value for name, value in LEAST.items() if name != field}))
    assert told.startswith(f": keys[0].{field}: is required")


@pytest.mark.parametrize("name", [None, "", " Ann", 5, "a\nb"])
def test_a_wrong_name_is_not_repeated(name: object) -> None:
    """It may be a key that was put into the wrong field, or break the line."""
    for told in refused(text(LEAST | {"name": name})):
        assert told.startswith(": keys[0].name: must ")
        assert "Ann" not in told
        assert "\n" not in told


def test_a_mistyped_field_is_told() -> None:
    """Instead of leaving a key without a model, or without an end, that its operator gave it."""
    told = refused(text({**LEAST, "modle": "glm-4.7"}))
    assert told == [': keys[0].modle: is no field (the key "Ann") (did you mean model?)']


def test_the_same_key_twice_is_told() -> None:
    """A credential must mean one thing."""
    told = refused(text(FULL, LEAST | {"name": "Bob"}))
    assert told == [': keys[1].key: is the same as that of keys[0] (the key "Bob")']


def test_all_problems_are_told_at_once() -> None:
    """Whoever mends the file need not try again and again."""
    told = refused(text(5, LEAST | {"key": "x", "expiry_date": "never"}, FULL | {"key": None}))
    assert [line.split(": ")[1] for line in told] == ["keys[0]", "keys[1].expiry_date", "keys[1].key", "keys[2].key"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ":1: is no JSON: expecting value, column 1"),
        (b'{"keys": [\n{"key": "pk_hunter2",,}]}', ":2: is no JSON: expecting property name enclosed in double quotes"),
        (b"\xff", ": is no JSON in UTF-8"),
        (b'{"keys": [NaN]}', ": is no JSON in UTF-8"),
        (b"[" * 100_000, ": is no JSON in UTF-8"),
        (b'{"keys": [1' + b"0" * 5000 + b"]}", ": is no JSON in UTF-8"),
        (b"[]", ': must be an object with a list "keys"'),
        (b"{}", ': must be an object with a list "keys"'),
        (b'{"keys": {}}', ': must be an object with a list "keys"'),
        (b'{"keys": [{"key": "pk_hunter2", "key": "x"}]}', ": gives key twice in one entry"),
        (b'{"keys": [{"hunter2": 1, "hunter2": 2}]}', ": gives a field twice in one entry"),
    ],
)
def test_what_is_no_key_file_is_refused(content: bytes, problem: str) -> None:
    """With the line where it breaks, and nothing of what stands there."""
    (told,) = refused(content)
    assert told.startswith(problem)
    assert "hunter2" not in told


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5))
def test_no_value_breaks_more_than_the_file(value: object) -> None:
    """Whatever stands in any field, the file is taken or refused, never anything else; and no value is told."""
    for field in FULL:
        told = ""
        try:
            parse(text(FULL | {field: value}), file="keys.json")
        except KeyFileError as error:
            told = str(error)
        assert FULL["key"] not in told


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("1970-01-02T00:00:00Z", 86_400.0),
        ("1970-01-02T01:00:00.500+01:00", 86_400.5),
        ("1970-01-02", 86_400.0),
        ("1970-01-02T00:00:00", None),
        ("1970-13-02", None),
        ("", None),
        ("1970-W01-5", 86_400.0),
    ],
)
def test_times(written: str, moment: float | None) -> None:
    """ISO 8601 with an offset, or a day, which begins in UTC."""
    assert seconds(written) == moment


def test_keys_are_never_shown() -> None:
    """Neither a file nor an entry tells a key when it is printed."""
    found = parse(text(FULL), file="keys.json")
    assert repr(found) == "<KeyFile entries=1>"
    assert repr(found.entries[0]) == f"<KeyEntry {found.entries[0].principal.token_id} 'Ann'>"
    assert FULL["key"] not in f"{found} {found.entries}"
