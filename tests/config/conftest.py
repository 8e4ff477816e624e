"""A stand-in for the table of dialects, and a way to load a text as the configuration file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

from sluicegate.config.compile import Compiled
from sluicegate.config.layers import Overrides
from sluicegate.config.load import load
from sluicegate.config.problem import ConfigurationError
from sluicegate.dialects.base import Dialect
from sluicegate.domain.snapshot import AllowRule


class StandIn:
    """As much of a dialect as compiling asks for."""

    allow = (AllowRule(("POST",), "chat/completions"),)

    def credential_headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """The key as a bearer."""
        return (("authorization", f"Bearer {api_key}"),)

    def default_headers(self) -> tuple[tuple[str, str], ...]:
        """A header that configuration may replace."""
        return (("anthropic-version", "2000-01-01"),)

    def version_path(self, base_path: str) -> str:
        """A path that shows what it was made from."""
        return f"{base_path}/version"


INSTALLED_PLUGINS = ("a", "b", "redaction", "audit", "double", "double")
"""Names of plugins that packages bring, one of them two of them."""

LoadText = Callable[..., Compiled]


@pytest.fixture
def dialects() -> Mapping[str, Dialect]:
    """The four names, each with the stand-in."""
    return dict.fromkeys(("openai", "anthropic", "gemini", "generic"), cast("Dialect", StandIn()))


@pytest.fixture
def load_text(tmp_path: Path, dialects: Mapping[str, Dialect]) -> LoadText:
    """Load a text as `sluicegate.yaml`."""

    def load_it(
        text: str, *, environment: Mapping[str, str] | None = None, overrides: Overrides | None = None
    ) -> Compiled:
        path = tmp_path / "sluicegate.yaml"
        path.write_text(text)
        return load(
            path, environment or {}, overrides or Overrides(), dialects=dialects, plugins=lambda: INSTALLED_PLUGINS
        )

    return load_it


@pytest.fixture
def problems_of(load_text: LoadText, tmp_path: Path) -> Callable[..., list[str]]:
    """The problems of a text, one line each, with the file's name cut to `line: path: message`."""

    def problems(text: str, **given: Mapping[str, str]) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            load_text(text, **given)
        return [line.removeprefix(f"{tmp_path}/sluicegate.yaml:") for line in str(caught.value).splitlines()]

    return problems
