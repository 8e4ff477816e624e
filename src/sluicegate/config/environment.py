"""The environment: the one place that reads it, and the list of the variables that mean something to us."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A provider that configures itself when the variable with its key is set, unless the file declares its name."""

    name: str
    dialect: str
    base_url: str
    key_variables: tuple[str, ...]
    """The first that is set counts."""
    base_url_variable: str | None = None
    version_variable: str | None = None
    """Variable with the value of the default header `anthropic-version`."""


KNOWN_PROVIDERS = (
    KnownProvider("openai", "openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), "OPENAI_BASE_URL"),
    KnownProvider(
        "anthropic",
        "anthropic",
        "https://api.anthropic.com",
        ("ANTHROPIC_API_KEY",),
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_VERSION",
    ),
    KnownProvider(
        "gemini",
        "gemini",
        "https://generativelanguage.googleapis.com",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "GEMINI_BASE_URL",
    ),
    KnownProvider("mistral", "openai", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",)),
    KnownProvider("groq", "openai", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",)),
    KnownProvider("deepseek", "openai", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",)),
    KnownProvider("xai", "openai", "https://api.x.ai/v1", ("XAI_API_KEY",)),
    KnownProvider("together", "openai", "https://api.together.xyz/v1", ("TOGETHER_API_KEY",)),
    KnownProvider("fireworks", "openai", "https://api.fireworks.ai/inference/v1", ("FIREWORKS_API_KEY",)),
    KnownProvider("openrouter", "openai", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
    KnownProvider("cerebras", "openai", "https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",)),
)

CONFIG_VARIABLE = "SLUICEGATE_CONFIG"
"""Variable with the path of the configuration file."""
CALLER_VARIABLE = "PROXY_TOKEN"
"""Variable with the one token of a small installation."""

SETTING_VARIABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("PORT", ("server", "port")),
    ("SLUICEGATE_HOST", ("server", "host")),
    ("SLUICEGATE_PORT", ("server", "port")),
    ("SLUICEGATE_WORKERS", ("server", "workers")),
    ("SLUICEGATE_DATA_DIR", ("data_dir",)),
    ("SLUICEGATE_DATABASE", ("database",)),
    ("SLUICEGATE_DRAIN_SECONDS", ("server", "drain_seconds")),
    ("MANAGEMENT_TOKEN", ("management_token",)),
    ("ADMIN_USER", ("admin", "user")),
    ("ADMIN_PASSWORD", ("admin", "password")),
    ("SLUICEGATE_MASTER_KEY", ("master_key",)),
    ("DATA_FILE", ("key_file",)),
    ("DEFAULT_MODEL", ("key_file_model",)),
)
"""Variables that override a setting; of two for the same one, the later wins."""

NEVER_EMPTY = frozenset({"MANAGEMENT_TOKEN", "ADMIN_PASSWORD", "SLUICEGATE_MASTER_KEY"})
"""Of these, those that are refused when they are set and empty: a deployment whose secret got lost on the way must not
start as if none were wanted. To make up a master key in its stead would even put it where it shall not be, or where the
next start does not find it."""


def process_environment() -> dict[str, str]:
    """A copy of this process's environment."""
    return dict(os.environ)
