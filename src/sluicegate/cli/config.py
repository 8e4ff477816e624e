"""`sluicegate config`: check the configuration, show what is in force, what would change, and its JSON Schema."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluicegate.cli.manage.display import Display, Form
from sluicegate.cli.manage.failure import FAILED, USAGE, ManageError, printable
from sluicegate.cli.manage.options import Session, managing

if TYPE_CHECKING:
    from sluicegate.config.compile import Compiled
    from sluicegate.config.difference import Change

app = typer.Typer(no_args_is_help=True, help="Check, show and compare configurations.")

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


def _diff(
    session: Session,
    old: Annotated[Path | None, typer.Argument(show_default=False, help="A file, as it was.")] = None,
    new: Annotated[Path | None, typer.Argument(show_default=False, help="A file, as it will be.")] = None,
) -> None:
    """Show what a reload would change in a running gateway, or, without asking it, what differs between two files."""
    del old, new  # They were both given, and then nobody comes here, or none was.
    answer = session.client.ask("GET", "/admin/config/diff").body
    if not isinstance(answer, dict) or not isinstance(answer.get("changes"), list):
        raise ManageError("The answer is no list of changes; is this the gateway?", FAILED)
    from sluicegate.config.difference import Change

    fields = ("path", "before", "after", "is_secret")
    changes = [Change(*(change[name] for name in fields)) for change in answer["changes"]]
    _show_changes(changes, session.display)


def _diff_of_files(given: Mapping[str, Any], display: Display) -> bool:
    """Compare two files, where there are two. Raises ManageError where there is one."""
    old, new = given["old"], given["new"]
    if old is None:
        return False
    if new is None:
        raise ManageError("One file has nothing to be compared with: name two, or none to ask a gateway", USAGE)
    from sluicegate.config.difference import differences

    before, after = _load_or_exit(old), _load_or_exit(new)
    _show_changes(differences(before.settings, after.settings), display)
    return True


def _show_changes(changes: "Sequence[Change]", display: Display) -> None:
    """One line each, the path alone, or JSON."""
    if display.form is Form.JSON:
        names = ("path", "before", "after", "is_secret", "needs_restart")
        display.fields({"changes": [{name: getattr(change, name) for name in names} for change in changes]})
        return
    for change in changes:
        typer.echo(printable(change.path if display.form is Form.IDS else str(change)))
    if not changes:
        display.remark("nothing differs")


app.command("diff")(managing(_diff, instead=_diff_of_files))


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
