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
    typer.Option(
        "--config",
        help="Configuration file; else SLUICEGATE_CONFIG, ./sluicegate.yaml, or the environment alone.",
        show_default=False,
    ),
]


@app.command()
def check(config: _File = None) -> None:
    """Say whether the configuration can be used: exit status 0, or 2 with every problem on a line of its own."""
    file = _chosen(config)
    compiled = _load_or_exit(file)
    if compiled.settings.key_file is not None:
        _check_key_file(Path(compiled.settings.key_file))
    snapshot = compiled.snapshot
    counts = f"providers {len(snapshot.providers)}, models {len(snapshot.models)}, tokens {len(compiled.tokens)}"
    typer.echo(f"valid: {counts}, from {file or 'the environment alone'}")


@app.command()
def show(
    config: _File = None,
    redacted: Annotated[bool, typer.Option("--redacted", help="Always so: secrets are never shown.")] = True,
) -> None:
    """Print the settings in force as YAML, secrets replaced."""
    from sluicegate.config.show import redacted_yaml

    del redacted
    typer.echo(redacted_yaml(_load_or_exit(_chosen(config))), nl=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    import json

    from sluicegate.config.reference import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def _chosen(config: Path | None) -> Path | None:
    """The file that `serve` would take."""
    from sluicegate.config.environment import process_environment
    from sluicegate.config.source import chosen_file

    return chosen_file(config, process_environment())


def _check_key_file(path: Path) -> None:
    """Read the key file as `serve` would, or print its problems and leave."""
    from sluicegate.control.key_file.entries import KeyFileError, parse

    try:
        parse(path.read_bytes(), file=str(path))
    except KeyFileError as error:
        problems = str(error)
    except OSError as error:
        problems = f"{path}: cannot be read: {error.strerror}"
    else:
        return
    typer.echo(problems, err=True)
    raise typer.Exit(_INVALID)


def _load_or_exit(file: Path | None) -> "Compiled":
    """Load as `serve` would, or print the problems and leave."""
    from sluicegate.config.environment import process_environment
    from sluicegate.config.layers import Overrides
    from sluicegate.config.load import load
    from sluicegate.config.problem import ConfigurationError
    from sluicegate.dialects.table import DIALECTS

    try:
        return load(file, process_environment(), Overrides(), dialects=DIALECTS)
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_INVALID) from None
