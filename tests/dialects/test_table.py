"""The table of dialects."""

from sluicegate.dialects.anthropic import Anthropic
from sluicegate.dialects.gemini import Gemini
from sluicegate.dialects.generic import Generic
from sluicegate.dialects.openai import OpenAI
from sluicegate.dialects.table import DIALECTS


def test_names_lead_to_their_dialects() -> None:
    """The four names a configuration may give lead to the dialects of that name."""
    assert {name: type(dialect) for name, dialect in DIALECTS.items()} == {
        "openai": OpenAI,
        "anthropic": Anthropic,
        "gemini": Gemini,
        "generic": Generic,
    }
