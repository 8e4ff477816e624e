"""The table of dialects."""

from sluicegate.dialects.anthropic import Anthropic
from sluicegate.dialects.base import Dialect
from sluicegate.dialects.gemini import Gemini
from sluicegate.dialects.generic import Generic
from sluicegate.dialects.openai import OpenAI
from sluicegate.dialects.table import DIALECTS


def test_names_lead_to_their_dialects() -> None:
    """The four names a configuration may give lead to the dialects of that name."""
    kinds: dict[str, type[Dialect]] = {
        "openai": OpenAI,
        "anthropic": Anthropic,
        "gemini": Gemini,
        "generic": Generic,
    }
    assert {name: type(dialect) for name, dialect in DIALECTS.items()} == kinds


def test_every_reader_tells_the_text() -> None:
    """Of whatever API and operation a stream is; before its first event there is none."""
    operations = ("chat", "completions", "responses", "messages", "generate", "else")
    readers = [dialect.stream_reader(operation) for dialect in DIALECTS.values() for operation in operations]
    assert {reader.text for reader in readers} == {""}
    messages = DIALECTS["anthropic"].stream_reader("messages")
    messages.feed([b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}'])
    assert messages.text == "hi"
