"""How much a request lets a model write and makes it read; and writing a cap without touching another byte."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sluicegate.wire.caps import (
    REFERENCES,
    CapFields,
    Caps,
    is_plain,
    is_self_contained,
    is_usual,
    most_read,
    read_caps,
    spelled_out,
    with_cap,
)
from sluicegate.wire.peek import PeekError

CHAT = CapFields(("max_tokens", "max_completion_tokens"), choices=("n",))
GEMINI = CapFields(
    ("maxOutputTokens", "max_output_tokens"), ("generationConfig", "generation_config"), ("candidateCount",)
)
COMPLETIONS = CapFields(("max_tokens",), choices=("n", "best_of"))


@pytest.mark.parametrize(
    ("body", "fields", "caps"),
    [
        (b"{}", CHAT, Caps(None, 1)),
        (b'{"max_tokens":5}', CHAT, Caps(5, 1)),
        (b'{"max_tokens":5,"max_completion_tokens":7,"n":3}', CHAT, Caps(7, 3)),
        (b'{"max_tokens":null,"n":0}', CHAT, Caps(None, 1)),
        (b'{"max_tokens":"5","n":" 1e2 "}', CHAT, Caps(5, 100)),
        (b'{"max_tokens":"five","n":[2]}', CHAT, Caps(None, 1)),
        (b'{"max_tokens":"inf","n":"nan"}', CHAT, Caps(2**31 - 1, 1)),
        (b'{"max_tokens":true}', CHAT, Caps(None, 1)),
        (b'{"max_tokens":-1}', CHAT, Caps(None, 1)),
        (b'{"max_tokens":5,"max_completion_tokens":-1,"n":-2}', CHAT, Caps(None, 1)),
        (b'{"max_tokens":5,"max_completion_tokens":NaN}', CHAT, Caps(5, 1)),
        (b'{"max_tokens":5.0}', CHAT, Caps(5, 1)),
        (b'{"max_tokens":5,"tools":[{"max_tokens":"max_tokens"}]}', CHAT, Caps(5, 1)),
        (b'{"prompt":["a","b"],"best_of":4,"n":2}', COMPLETIONS, Caps(None, 8)),
        (b'{"prompt":[1,2,3]}', COMPLETIONS, Caps(None, 1)),
        (b'{"prompt":"abc"}', COMPLETIONS, Caps(None, 1)),
        (b'{"maxOutputTokens":5,"candidateCount":2}', GEMINI, Caps(None, 2)),
        (b'{"generationConfig":{"maxOutputTokens":9,"candidateCount":2}}', GEMINI, Caps(9, 2)),
        (b'{"generation_config":{"max_output_tokens":9}}', GEMINI, Caps(9, 1)),
        (b'{"generationConfig":[]}', GEMINI, Caps(None, 1)),
        (b'{"max_tokens":5,"messages":["\\ud83d"]}', CHAT, Caps(5, 1)),
        (b'{"max_tokens":1e999}', CHAT, Caps(2**31 - 1, 1)),
        (b'{"max_tokens":1%b,"n":1e300}' % (b"0" * 400), CHAT, Caps(2**31 - 1, 2**16)),
        (b'{"max_tokens":"\\ud83d","n":2}', CHAT, Caps(None, 2)),
        (b'{"prompt":["\\ud83d","b"]}', COMPLETIONS, Caps(None, 2)),
    ],
)
def test_caps_are_read(body: bytes, fields: CapFields, caps: Caps) -> None:
    """The largest of several counts; what is no number is none."""
    assert read_caps(body, fields) == caps


@pytest.mark.parametrize(
    ("body", "fields", "name"),
    [
        (b'{"max_tokens":%b}' % (b"9" * 5000), CHAT, "max_tokens"),
        (b'{"max_tokens":%b,"messages":["\\ud83d"]}' % (b"9" * 5000), CHAT, "body"),
        (b'{"prompt":[%b]}' % (b"9" * 5000), COMPLETIONS, "prompt"),
        (b'[{"max_tokens":1}]', CHAT, "body"),
        ('{"max_tokens":1}'.encode("utf-16"), CHAT, "body"),
        (b'{"a":1,"max_tokens":%b1' % (b"[" * 100_000), CHAT, "body"),
    ],
)
def test_a_cap_that_nobody_reads_is_refused(body: bytes, fields: CapFields, name: str) -> None:
    """Thousands of digits are no number to us, and may be one to the provider; so may be what is no JSON in UTF-8."""
    with pytest.raises(PeekError, match="cannot be read") as refused:
        read_caps(body, fields)
    assert refused.value.field == name


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"max_tokens":5,"max_tokens":500}', CHAT),
        (b'{"max_tokens":5,"max\\u005ftokens":500}', CHAT),
        (b'{"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":2}}', GEMINI),
        (b'{"generationConfig":{},"generationConfig":{"maxOutputTokens":2}}', GEMINI),
    ],
)
def test_a_cap_given_twice_is_refused(body: bytes, fields: CapFields) -> None:
    """The provider could take the other one."""
    with pytest.raises(PeekError, match="twice"):
        read_caps(body, fields)


@pytest.mark.parametrize(
    ("body", "fields", "made"),
    [
        (b'{ "a" : 1.0 }', CHAT, b'{"max_tokens":16, "a" : 1.0 }'),
        (b"{}", CHAT, b'{"max_tokens":16}'),
        (b'{"max_completion_tokens": 5,"a":[ ]}', CHAT, b'{"max_completion_tokens": 16,"a":[ ]}'),
        (b'{"max_tokens":null}', CHAT, b'{"max_tokens":16}'),
        (b'{"a":1}', GEMINI, b'{"generationConfig":{"maxOutputTokens":16},"a":1}'),
        (b'{"generationConfig": {"x":1 } }', GEMINI, b'{"generationConfig": {"maxOutputTokens":16,"x":1 } }'),
        (b'{"generation_config":{"max_output_tokens":99}}', GEMINI, b'{"generation_config":{"max_output_tokens":16}}'),
        (b'{"generationConfig":null}', GEMINI, b'{"generationConfig":{"maxOutputTokens":16}}'),
    ],
)
def test_a_cap_is_written(body: bytes, fields: CapFields, made: bytes) -> None:
    """In the place of the one that is there, or first; every other byte stays."""
    assert with_cap(body, fields, 16) == made


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()), st.integers(0, 10**6))
def test_a_written_cap_is_read_again(members: dict[str, int | str | None], tokens: int) -> None:
    """Whatever else the request holds."""
    body = json.dumps(members).encode()
    made = with_cap(body, CHAT, tokens)
    assert read_caps(made, CHAT).tokens == tokens
    left = {name: value for name, value in json.loads(made).items() if name not in CHAT.names}
    assert left == {name: value for name, value in members.items() if name not in CHAT.names}


def test_text_is_at_most_its_bytes() -> None:
    """A token has at least one."""
    assert most_read(b'{"messages":[]}', 1000) == 15


@pytest.mark.parametrize(
    "image", [b"/9j/" + b"A" * 5000, b"iVBORw0KGgo" + b"A" * 5000, b"UklGRAAAAAAARUJQ"[:12] + b"RUJQ" + b"A" * 5000]
)
def test_an_image_is_bounded_by_what_models_take(image: bytes) -> None:
    """Its bytes say nothing."""
    data_url = b'{"type":"input_image","u":"data:image/png;base64,' + image + b'"}'
    plain = b'{"type":"image","source":{"data":"' + image + b'"}}'
    assert most_read(data_url, 1000) == len(data_url) - len(image) + 1000
    assert most_read(plain, 1000) == len(plain) - len(image) + 1000


def test_each_image_counts() -> None:
    """However many there are of one kind, and text that looks like one does not hide those behind it."""
    image, text = b"/9j/" + b"A" * 5000, b"/9j/ in words"
    body = b'[{"type":"image","data":"%b"},{"text":"%b"},{"type":"image","data":"%b"}]' % (image, text, image)
    assert most_read(body, 1000) == len(body) - 2 * len(image) + 2 * 1000


def test_what_only_begins_like_an_image_is_text() -> None:
    """Words, what is short, and sound count in full."""
    for text in (b"/9j/" + b"words " * 200, b"/9j/AAAA", b"UklGR" + b"A" * 5000):
        body = b'{"type":"image","data":"' + text + b'"}'
        assert most_read(body, 1000) == len(body) + 1000
    inside = b'{"type":"image","data":"text/9j/' + b"A" * 5000 + b'"}'
    assert most_read(inside, 1000) == len(inside) + 1000
    elsewhere = b'{"text":"/9j/' + b"A" * 5000 + b'"}'
    assert most_read(elsewhere, 1000) == len(elsewhere)
    unfinished = b'{"image":1,"a":"/9j/'
    assert most_read(unfinished, 0) == len(unfinished)


def test_what_is_elsewhere_is_seen() -> None:
    """A file's id, or an answer made before, makes a model read more than these bytes."""
    assert is_self_contained(b'{"input":"file_id"}') is False
    assert is_self_contained(b'{"input":"my \\"file_id\\""}')
    assert not is_self_contained(b'{"previous_response_id":"r"}')


@pytest.mark.parametrize(
    ("body", "is_here"),
    [
        (b'{"type":"document","source":{"type":"text","data":"a"}}', True),
        (b'{"type":"document","source":{"type":"url","url":"https://x"}}', False),
        (b'{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}', False),
        (b'{"inlineData":{"mimeType":"image/png","data":"iVBO"}}', True),
        (b'{"inlineData":{"mimeType":"application\\/pdf","data":"JVBE"}}', False),
        (b'{"inline_data":{"mime_type":"video/mp4","data":"AAAA"}}', False),
        (b'{"inline_data":{"mime_type":"video\\/mp4","data":"AAAA"}}', False),
        (b'{"content":"a.pdf"}', True),
    ],
)
def test_pages_and_films_are_not_bounded_by_their_bytes(body: bytes, is_here: bool) -> None:
    """A page takes thousands of tokens and some bytes, and what is at an address takes none here."""
    assert is_self_contained(body) is is_here


@pytest.mark.parametrize(
    ("body", "spelled"),
    [
        (b'{"fil\\u0065_id":"\\u0077eb \\ud83d"}', '{"file_id": "web \ud83d"}'.encode("utf-8", "surrogatepass")),
        (b'{"a":"\\u003c\\u0026"}', b'{"a":"\\u003c\\u0026"}'),
        (b'{"\\u0061":', b'{"\\u0061":'),
        (b'{"\\u0061":%b1' % (b"[" * 100_000), b'{"\\u0061":%b1' % (b"[" * 100_000)),
    ],
)
def test_letters_are_spelled_out(body: bytes, spelled: bytes) -> None:
    """Only where one is escaped, which no encoder does; what cannot be read stays as it is."""
    assert spelled_out(body) == spelled


@pytest.mark.parametrize("name", [*REFERENCES, b'"image_url"', b'"input_image"', b'"image"', b'"inlineData"'])
def test_what_is_plain_is_text_and_self_contained(name: bytes) -> None:
    """No name of a reference or an image is overlooked; words like them are."""
    body = b'{"messages":[{"content":[{%b:"x"}]}]}' % name
    assert not is_plain(body)
    assert not is_self_contained(body) or most_read(body, 999) != len(body)
    words = b'{"messages":[{"content":"%b \\"%b\\""}]}' % (name.strip(b'"'), name.strip(b'"'))
    assert is_plain(words)
    assert is_self_contained(words)
    assert most_read(words, 999) == len(words)


@pytest.mark.parametrize(
    ("body", "usual"),
    [
        (b'{"model":"m","messages":[{"content":"max_tokens"}],"temperature":0}', True),
        (b'{"messages":[{"service_tier":1}]}', True),
        (b'{"max_tokens":null}', False),
        (b'{"max\\u005ftokens":5}', False),
        (b'{"n":1}', False),
        (b'{"candidateCount":1}', False),
        (b'{"service_tier":"auto"}', False),
        (b'{"prompt":"a"}', False),
        (b'{"generationConfig":{}}', False),
        (b'{"image":1}', False),
        (b'{"messages":["\\ud83d"]}', False),
        (b'{"messages":["\\u003c \\u00e9 \\n"]}', True),
        (b'{"messages":[{"fil\\u0065_id":"f"}]}', False),
        (b"[]", False),
    ],
)
def test_the_usual_request_states_nothing(body: bytes, *, usual: bool) -> None:
    """What cannot be told is not taken for usual."""
    assert is_usual(body) is usual


def test_fields_that_are_not_among_the_usual_are_read() -> None:
    """A dialect may name others."""
    assert read_caps(b'{"longest":5}', CapFields(("longest",))) == Caps(5, 1)
