"""`sluicegate prices`, offline, from a configuration file."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluicegate.cli.prices import app
from sluicegate.domain.events import Exchange, Metadata
from sluicegate.gateway.journal import Journal

CONFIGURATION = """
providers:
  openai: {dialect: openai, base_url: https://api.openai.com/v1}
  local: {dialect: openai, base_url: http://127.0.0.1:11434/v1}
prices:
  - {model: local/llama*, input: 0.5, output: 1, tiers: [{above: 10, input: 1, output: 2}]}
models:
  - {name: smart, targets: [{model: openai/gpt-4o}, {model: local/llama3}]}
"""

REACHING = """
providers: {openai: {dialect: openai, base_url: https://api.openai.com/v1, api_key: k}}
models:
  - {name: "any-*", targets: [{model: "openai/*"}]}
  - {name: smart, targets: [{model: openai/gpt-4o}], fallbacks: [openai/unheard-of, other]}
  - {name: other, targets: [{model: openai/gpt-4o-mini}]}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Write a configuration in which every model has a price."""
    path = tmp_path / "sluicegate.yaml"
    path.write_text(CONFIGURATION)
    return str(path)


def test_list_shows_every_target(file: str) -> None:
    """All targets of the configuration are listed with dollars for a million tokens."""
    result = CliRunner().invoke(app, ["list", "--config", file, "--json"])
    rows = json.loads(result.stdout)
    assert [(row["model"], row["input"], row["output"]) for row in rows] == [
        ("gpt-4o", 2.5, 10.0),
        ("llama3", 0.5, 1.0),
    ]
    table = CliRunner().invoke(app, ["list", "--config", file]).stdout.splitlines()
    assert table[0].split()[:3] == ["provider", "model", "price_version"]
    assert len(table) == 3


def test_a_table_holds_no_literals(file: str) -> None:
    """Of services their names, of tiers JSON."""
    table = CliRunner().invoke(app, ["show", "gpt-4.1", "--config", file]).stdout
    assert "batch, priority" in table
    tiers = CliRunner().invoke(app, ["show", "local/llama3", "--config", file]).stdout
    assert '{"above": 10, "input": 1.0, "output": 2.0' in tiers
    assert "[" not in table + tiers


@pytest.mark.parametrize(
    ("arguments", "costs"),
    [
        (["smart"], [0.00003, 0.000012]),
        (["local/llama3"], [0.000012]),
        (["llama3", "--provider", "local"], [0.000012]),
        (["gpt-4o"], [0.00003]),
    ],
)
def test_show_tells_the_cost_of_an_exchange(file: str, arguments: list[str], costs: list[float]) -> None:
    """A model is found by its alias, with its provider, or by its name alone."""
    given = [*arguments, "--input", "12", "--output", "0", "--config", file, "--json"]
    result = CliRunner().invoke(app, ["show", *given])
    assert [row["cost"] for row in json.loads(result.stdout)] == costs


@pytest.mark.parametrize("arguments", [["unheard-of"], ["unheard-of", "--provider", "openai"]])
def test_show_says_that_there_is_no_price(file: str, arguments: list[str]) -> None:
    """An unknown price is told, with what to do about it, and the exit status is 1."""
    result = CliRunner().invoke(app, ["show", *arguments, "--config", file])
    assert result.exit_code == 1
    assert "has no known price" in result.stderr


def test_check_finds_models_without_a_price(file: str, tmp_path: Path) -> None:
    """Exit status 0 where every model has a price, 1 where one has none."""
    result = CliRunner().invoke(app, ["check", "--config", file])
    assert (result.exit_code, result.stdout) == (0, "models 2, without a price 0\n")
    bare = tmp_path / "bare.yaml"
    bare.write_text(CONFIGURATION.replace("llama*", "other"))
    result = CliRunner().invoke(app, ["check", "--config", str(bare)])
    assert result.exit_code == 1
    assert "no price: local/llama3" in result.stdout


def test_check_compares_reported_costs(file: str, tmp_path: Path) -> None:
    """With a data directory, costs that providers reported stand beside ours."""
    journal = Journal(tmp_path / "events", 0, "a", schedule=lambda flush: None, on_error=lambda state, reason: None)
    journal.append(
        Exchange(
            "r",
            "now",
            "t",
            "p",
            "o",
            "/v1",
            "POST",
            200,
            1.5,
            Metadata(),
            provider="openai",
            model="m",
            cost=10**9,
            provider_cost=2 * 10**9,
            price_version="v",
        )
    )
    journal.flush()
    journal.close()
    arguments = ["check", "--config", file, "--events", str(tmp_path)]
    shown = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert shown["without_price"] == []
    assert [(row["ours"], row["theirs"]) for row in shown["drift"]] == [(1.0, 2.0)]
    table = CliRunner().invoke(app, arguments).stdout
    assert "openai    m" in table
    assert "services" not in table


def test_wrong_paths_are_told(file: str, tmp_path: Path) -> None:
    """Neither a missing configuration nor a missing journal is taken for an empty one."""
    for arguments in (
        ["--config", str(tmp_path / "none.yaml")],
        ["--config", file, "--events", str(tmp_path / "none")],
    ):
        assert CliRunner().invoke(app, ["check", *arguments]).exit_code == 2


def test_an_hour_in_the_cache_has_its_price_where_it_is_told_apart(tmp_path: Path) -> None:
    """Twice the input's."""
    path = tmp_path / "sluicegate.yaml"
    path.write_text("providers: {a: {dialect: anthropic, base_url: https://api.anthropic.com}}\n")
    result = CliRunner().invoke(app, ["show", "a/claude-sonnet-4-5", "--config", str(path), "--json"])
    (row,) = json.loads(result.stdout)
    assert row["cache_write_1h"] == 2 * row["input"] > 0


def test_fallbacks_need_a_price_too_and_wildcards_name_no_model(tmp_path: Path) -> None:
    """What a request may end at is checked; what callers choose is not, nor an alias a second time."""
    path = tmp_path / "sluicegate.yaml"
    path.write_text(REACHING)
    result = CliRunner().invoke(app, ["check", "--config", str(path)])
    assert result.stdout.splitlines() == ["no price: openai/unheard-of", "models 3, without a price 1"]


def test_without_a_provider_the_tables_own_can_be_named(tmp_path: Path) -> None:
    """Who has configured nothing yet is told how to look a price up."""
    path = tmp_path / "sluicegate.yaml"
    path.write_text("")
    result = CliRunner().invoke(app, ["show", "gpt-4o", "--config", str(path)])
    assert (result.exit_code, "name one of the table, as in --provider openai" in result.stderr) == (1, True)
    result = CliRunner().invoke(app, ["show", "gpt-4o", "--config", str(path), "--provider", "openai"])
    assert result.exit_code == 0
