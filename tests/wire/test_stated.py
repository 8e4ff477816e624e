"""What a request states of its cost is seen in one look."""

import pytest
from msgspec import UNSET, Raw

from sluicegate.wire.peek import PeekError
from sluicegate.wire.stated import NAMES, SILENT, has_stored_prompt, runs_in_background, stated_in


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("value", ["null", "1", '"a"', "[1]"])
def test_every_field_is_seen(name: str, value: str) -> None:
    """Whatever its value, null too, and however its name is written; not where it is deeper inside."""
    for written in (name, f"\\u{ord(name[0]):04x}{name[1:]}"):
        stated = stated_in(f'{{"model":"m","{written}":{value}}}'.encode())
        assert stated is not None
        assert stated is not SILENT
    assert stated_in(f'{{"tools":[{{"{name}":{value}}}]}}'.encode()) is SILENT


def test_the_usual_request_is_silent() -> None:
    """It is the same object, so that one comparison tells."""
    assert stated_in(b'{"model":"m","messages":[],"stream":true}') is SILENT
    assert SILENT.max_tokens is UNSET


def test_values_are_there() -> None:
    """Numbers and texts as they are, what may be long as bytes."""
    stated = stated_in(b'{"max_tokens":5,"prompt":["a"],"serviceTier":"flex"}')
    assert stated is not None
    assert isinstance(stated.prompt, Raw)
    assert (stated.max_tokens, bytes(stated.prompt), stated.camel_tier) == (5, b'["a"]', "flex")


@pytest.mark.parametrize("body", [b"", b"[]", b"no JSON", b'{"messages":["\\ud83d"]}'])
def test_what_cannot_be_told(body: bytes) -> None:
    """Others may read what this reader refuses."""
    assert stated_in(body) is None


@pytest.mark.parametrize(
    ("body", "is_later"),
    [
        (b'{"background":true}', True),
        (b'{ "back\\u0067round" : "yes" }', True),
        (b'{"background": false }', False),
        (b'{"background":null}', False),
        (b'{"input":[{"background":true}]}', False),
        (b"[]", False),
    ],
)
def test_answers_in_the_background(body: bytes, is_later: bool) -> None:
    """Whatever is neither false nor null may mean it."""
    assert runs_in_background(body) is is_later


@pytest.mark.parametrize(
    ("body", "is_stored"),
    [
        (b'{"prompt":{"id":"pmpt_1"}}', True),
        (b'{ "pr\\u006fmpt" : {"id":"pmpt_1"}}', True),
        (b'{"input":"a","prompt": {"id":"pmpt_1"} ,"messages":["\\ud83d"]}', True),
        (b'{"prompt":"{"}', False),
        (b'{"prompt":null}', False),
        (b'{"input":[{"prompt":{}}]}', False),
        (b'{"input":[{"prompt":{}}],"messages":["\\ud83d"]}', False),
        (b'{"prompt":"{","messages":["\\ud83d"]}', False),
    ],
)
def test_prompts_that_the_provider_keeps(body: bytes, is_stored: bool) -> None:
    """An object names one, a text is one; told alike where nothing is known of what the body states."""
    assert has_stored_prompt(body, stated_in(body)) is is_stored
    assert has_stored_prompt(body, None) is is_stored


def test_two_that_say_whether_it_is_in_the_background() -> None:
    """Another reader could take the other one."""
    with pytest.raises(PeekError):
        runs_in_background(b'{"background":false,"background":true}')
