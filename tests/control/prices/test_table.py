"""Prices of the file before those of the bundled table."""

from datetime import UTC, datetime

from sluicegate.config.layers import Overrides
from sluicegate.config.load import load
from sluicegate.control.prices.catalogue import bundled
from sluicegate.control.prices.table import PriceTable
from sluicegate.control.prices.upstream import Upstream, upstream_at
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.snapshot import Origin, Provider
from tests.control.conftest import WriteSources

TEXT = """
providers:
  first: {dialect: openai, base_url: "https://api.openai.com/v1", api_key: sk-a}
  second: {dialect: anthropic, base_url: "https://api.anthropic.com", api_key: sk-b}
prices:
  - {model: first/gpt-4o, input: 1, output: 2}
"""
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def table(write: WriteSources) -> PriceTable:
    """The table of that file."""
    compiled = load(write(TEXT).path, {}, Overrides(), dialects=DIALECTS)
    return PriceTable(compiled.settings, compiled.snapshot, bundled(), NOW)


def test_the_files_price_goes_before_the_bundled_one(write: WriteSources) -> None:
    """What the file prices costs that; what it does not, costs what the table says; the rest is not known."""
    prices = table(write)
    declared, listed = prices.price("first", "gpt-4o"), prices.price("first", "gpt-4o-mini")
    assert declared is not None
    assert (declared.version[:5], declared.rates.input) == ("file ", 1_000_000_000)
    assert listed is not None
    assert listed.version.startswith("genai-prices")
    assert prices.price("first", "never-heard-of") is None
    assert "PriceTable" in repr(prices)


def test_what_an_api_tells_apart_is_priced_apart(write: WriteSources) -> None:
    """Anthropic's API tells what is cached for an hour: its prices have a rate for that."""
    price = table(write).price("second", "claude-2")
    assert price is not None
    assert price.rates.cache_write_1h == 2 * price.rates.input


def test_a_provider_that_is_not_configured_goes_by_its_name(write: WriteSources) -> None:
    """So that whoever explains a route can price what stands in an old target."""
    assert table(write).price("mistral", "codestral-2508") is not None


def test_a_deployment_is_searched_for_by_its_address() -> None:
    """Its base URL is put together again as it was configured."""
    here = Provider("a", "openai", Origin("https", "h.test", 8443), "h.test:8443", base_path="/v1")
    socket = Provider("b", "openai", Origin("unix", "/run/b", 0), "localhost")
    assert upstream_at(here) == Upstream("a", "openai", "https://h.test:8443/v1")
    assert upstream_at(socket) == Upstream("b", "openai", "unix:/run/b")
