"""`sluicegate config`: check the configuration, show what is in force, print its JSON Schema."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sluicegate.config.compile import Compiled

app = typer.Typer(no_args_is_help=True, help="Check and show the configuration.")

_INVALID = 2
"""Exit status of an invalid configuration, as of a wrong command line."""

_File = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration file; SLUICEGATE_CONFIG when not given.", show_default=False),
]


@app.command()
def check(config: _File = None) -> None:
    """Say whether the configuration can be used: exit status 0, or 2 with every problem on a line of its own."""
    compiled = _load_or_exit(config)
    snapshot = compiled.snapshot
    typer.echo(
        f"valid: providers {len(snapshot.providers)}, models {len(snapshot.models)}, tokens {len(compiled.tokens)}"
    )


@app.command()
def show(
    config: _File = None,
    redacted: Annotated[bool, typer.Option("--redacted", help="Always so: secrets are never shown.")] = True,
) -> None:
    """Print the settings in force as YAML, secrets replaced."""
    from sluicegate.config.show import redacted_yaml

    del redacted
    typer.echo(redacted_yaml(_load_or_exit(config)), nl=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    import json

    from sluicegate.config.reference import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def _load_or_exit(config: Path | None) -> "Compiled":
    """Load as `serve` would, or print the problems and leave."""
    from sluicegate.config.environment import process_environment
    from sluicegate.config.layers import Overrides
    from sluicegate.config.load import load
    from sluicegate.config.problem import ConfigurationError
    from sluicegate.dialects.table import DIALECTS

    try:
        return load(config, process_environment(), Overrides(), dialects=DIALECTS)
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_INVALID) from None
