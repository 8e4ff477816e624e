"""The environment: the one place that reads it, and the list of the variables that mean something to us."""

import os

from sluicegate.config.presets import PRESETS

KNOWN_PROVIDERS = tuple(preset for preset in PRESETS if preset.key_variables)
"""Presets that configure themselves."""

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
