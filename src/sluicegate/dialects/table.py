"""The dialects by the name that a provider's configuration gives."""

from typing import Final

from sluicegate.dialects.anthropic import Anthropic
from sluicegate.dialects.base import Dialect
from sluicegate.dialects.gemini import Gemini
from sluicegate.dialects.generic import Generic
from sluicegate.dialects.openai import OpenAI

DIALECTS: Final[dict[str, Dialect]] = {
    "openai": OpenAI(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
    "generic": Generic(),
}
