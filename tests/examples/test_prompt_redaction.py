"""The example plugin by itself: what it takes out, what it leaves, and what it refuses."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import msgspec
import pytest

from sluicegate.domain.plugins import Plugin, RefusedError, Request
from tests.rules.project import ROOT

REQUEST = Request("r", "o", "p", None, "t", (), "POST", "/", "chat", "openai", "m", "", True, False, b"{}")


@pytest.fixture(scope="module")
def module() -> Any:
    """The plugin's module."""
    spec = spec_from_file_location("prompt_redaction", ROOT / "examples" / "prompt-redaction" / "prompt_redaction.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def plugin(module: Any) -> Plugin:
    """The plugin, as a worker makes it."""
    made = module.PromptRedaction()
    assert isinstance(made, Plugin)
    return made


def shown(body: bytes, **changes: Any) -> Request:
    """A request with this body."""
    return msgspec.structs.replace(REQUEST, body=body, **changes)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("ann.o+x@mail.example.org, or a@b", "[mail address], or a@b"),
        ("4111111111111111 or 4111-1111-1111-1111.", "[card number] or [card number]."),
        ("378282246310005", "[card number]"),
        ("4111111111111112", "4111111111111112"),
        ("call 0123456789 at 12:30", "call 0123456789 at 12:30"),
    ],
)
def test_texts(module: Any, text: str, redacted: str) -> None:
    """Addresses, and numbers whose check digit is a card's."""
    assert module.redacted_text(text) == redacted


def test_all_strings_of_a_body_but_the_model(plugin: Plugin) -> None:
    """Wherever they stand; numbers and names of fields stay."""
    secret = "a@b.example"
    body = {"model": secret, "max_tokens": 4, "messages": [{"content": [{"text": secret}]}], secret: None}
    sent = plugin.before_forward(shown(json.dumps(body).encode()))
    assert sent is not None
    assert json.loads(sent) == {**body, "messages": [{"content": [{"text": "[mail address]"}]}]}


def test_a_body_in_which_nothing_is_found_stays(plugin: Plugin) -> None:
    """To the byte; so does a request without one."""
    assert plugin.before_forward(shown(b'{ "messages": [1.50] }')) is None
    assert plugin.before_forward(shown(b"", has_body=False)) is None


@pytest.mark.parametrize(
    "request_",
    [
        shown(b""),
        shown(b"", has_body=False, is_websocket=True),
        shown(b"no JSON"),
        shown(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(plugin: Plugin, request_: Request) -> None:
    """Under one code."""
    with pytest.raises(RefusedError) as caught:
        plugin.before_forward(request_)
    assert caught.value.code == "not_redactable"
