"""`sluicegate prices`: what models cost by the configuration and the bundled table. Asks nobody, needs no gateway."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sluicegate.config.schema import Settings
    from sluicegate.domain.events import Exchange
    from sluicegate.domain.pricing import Price, Rates

app = typer.Typer(no_args_is_help=True, help="Show what models cost, and find those without a price.")

_UNPRICED = 1
"""Exit status where a model has no price."""
_INVALID = 2
"""Exit status of a wrong configuration or path, as of a wrong command line."""
_BATCH = 1000

_File = Annotated[Path | None, typer.Option("--config", help="Configuration file, as for serve.", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_(config: _File = None, as_json: _Json = False) -> None:
    """List the models that the configuration names, with their prices."""
    settings = _settings(config)
    _print(
        [_row(provider, model, _price(settings, provider, model)) for provider, model in _named(settings)],
        as_json=as_json,
    )


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="The provider's name for the model, or one of the configuration's.")],
    provider: Annotated[str | None, typer.Option(help="Provider of the configuration, or of the table.")] = None,
    input_tokens: Annotated[int | None, typer.Option("--input", min=0, help="Tokens of input, for a cost.")] = None,
    output_tokens: Annotated[int | None, typer.Option("--output", min=0, help="Tokens of output.")] = None,
    config: _File = None,
    as_json: _Json = False,
) -> None:
    """Show what one model costs, and what an exchange with so many tokens would."""
    from sluicegate.domain.money import dollars
    from sluicegate.domain.pricing import cost
    from sluicegate.domain.usage import Usage

    settings = _settings(config)
    rows = []
    for name, target in _meant(settings, provider, model):
        price = _price(settings, name, target)
        row = _row(name, target, price)
        if price is not None and (input_tokens is not None or output_tokens is not None):
            row["cost"] = dollars(cost(price, Usage(input_tokens or 0, output_tokens or 0)))
        rows.append(row)
    _print(rows, as_json=as_json)
    if not rows or any(row["price_version"] is None for row in rows):
        advice = "give it one under `prices` of the configuration"
        if not rows and not settings.providers:
            advice = "no provider is configured: name one of the table, as in --provider openai"
        typer.echo(f"{model} has no known price; {advice}", err=True)
        raise typer.Exit(_UNPRICED)


@app.command()
def check(
    config: _File = None,
    events: Annotated[Path | None, typer.Option(help="Data directory; compare costs with those reported.")] = None,
    as_json: _Json = False,
) -> None:
    """Report models of the configuration without a price (exit status 1), and where providers report other costs."""
    settings = _settings(config)
    named = list(_named(settings))
    missing = [f"{provider}/{model}" for provider, model in named if _price(settings, provider, model) is None]
    drifts = [] if events is None else _drifts(events)
    if as_json:
        typer.echo(json.dumps({"models": len(named), "without_price": missing, "drift": drifts}, indent=2))
    else:
        for name in missing:
            typer.echo(f"no price: {name}")
        if drifts:
            _table(drifts)
        compared = "" if events is None else f", with other costs reported {len(drifts)}"
        typer.echo(f"models {len(named)}, without a price {len(missing)}{compared}")
    if missing:
        raise typer.Exit(_UNPRICED)


def _settings(config: Path | None) -> "Settings":
    """Load as `serve` would, or print the problems and leave."""
    from sluicegate.config.environment import process_environment
    from sluicegate.config.layers import Overrides
    from sluicegate.config.load import load
    from sluicegate.config.problem import ConfigurationError
    from sluicegate.config.source import chosen_file
    from sluicegate.dialects.table import DIALECTS

    environment = process_environment()
    try:
        return load(chosen_file(config, environment), environment, Overrides(), dialects=DIALECTS).settings
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_INVALID) from None


def _named(settings: "Settings") -> "Iterator[tuple[str, str]]":
    """Provider and model of each target and fallback, once; not of those with a `*`, for which callers choose."""
    aliases = {alias.name for alias in settings.models}
    targets = (target.model for alias in settings.models for target in alias.targets)
    fallbacks = (name for alias in settings.models for name in alias.fallbacks if name not in aliases)
    named = (name.partition("/") for name in (*targets, *fallbacks) if "*" not in name)
    return iter(dict.fromkeys((provider, name) for provider, _, name in named))


def _meant(settings: "Settings", provider: str | None, model: str) -> list[tuple[str, str]]:
    """Provider and model that a name stands for: those of an alias, of `provider/model`, or of every provider."""
    if provider is not None:
        return [(provider, model)]
    targets = [target.model for alias in settings.models if alias.name == model for target in alias.targets]
    prefix, _, rest = model.partition("/")
    if not targets and rest and prefix in settings.providers:
        targets = [model]
    if targets:
        return [(name, target) for name, _, target in (text.partition("/") for text in targets)]
    return [(name, model) for name in settings.providers if _price(settings, name, model) is not None]


def _price(settings: "Settings", provider: str, model: str) -> "Price | None":
    from sluicegate.control.prices.catalogue import bundled
    from sluicegate.control.prices.declared import DeclaredPrices
    from sluicegate.control.prices.directory import upstream_of
    from sluicegate.control.prices.upstream import reported

    declared = DeclaredPrices(settings.prices).price(provider, model)
    upstream = upstream_of(settings, provider)
    price = declared or bundled().price(upstream, model, datetime.now(UTC))
    return None if price is None else reported(price, upstream)


def _row(provider: str, model: str, price: "Price | None") -> dict[str, Any]:
    """What is shown of a price: dollars for a million tokens."""
    row: dict[str, Any] = {"provider": provider, "model": model, "price_version": price and price.version}
    if price is not None:
        row |= _rates(price.rates)
        row["tiers"] = [{"above": tier.above, **_rates(tier.rates)} for tier in price.tiers]
        row["services"] = [{"name": one.name, **_rates(one.rates)} for one in price.services]
    return row


def _rates(rates: "Rates") -> dict[str, float]:
    import msgspec

    from sluicegate.domain.money import dollars

    shown = {"input": rates.input, "output": rates.output} | msgspec.to_builtins(rates)
    return {name: dollars(rate) for name, rate in shown.items()}


def _drifts(data_dir: Path) -> list[dict[str, Any]]:
    from sluicegate.control.prices.drift import drift
    from sluicegate.domain.money import dollars

    if not (data_dir / "events").is_dir():
        typer.echo(f"no events: {data_dir / 'events'} is not a directory", err=True)
        raise typer.Exit(_INVALID)
    return [
        {
            "provider": one.provider,
            "model": one.model,
            "price_version": one.price_version,
            "exchanges": one.exchanges,
            "ours": dollars(one.ours),
            "theirs": dollars(one.theirs),
        }
        for one in drift(_exchanges(data_dir / "events"))
    ]


def _exchanges(directory: Path) -> "Iterator[Exchange]":
    from sluicegate.events.checkpoint import Checkpoint
    from sluicegate.events.reader import SegmentReader

    reader, checkpoint = SegmentReader(directory), Checkpoint()
    while True:
        batch = reader.read(checkpoint, _BATCH)
        yield from batch.events
        checkpoint = batch.checkpoint
        if len(batch.events) < _BATCH:
            return


def _print(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        _table(rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Columns that any row has, a dash where one has none."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *[[_cell(row.get(name)) for name in columns] for row in rows]]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    """A value in words: of services only their names, whose prices are in the JSON."""
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return ", ".join(one["name"] if "name" in one else json.dumps(one) for one in value)
    return str(value)
