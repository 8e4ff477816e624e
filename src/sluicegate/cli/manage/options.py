"""What every command takes, wherever it stands on the command line, and what a command gets for it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from sluicegate.cli.manage.client import Client
from sluicegate.cli.manage.credential import is_from_standard_input, management_token
from sluicegate.cli.manage.display import Display, Form
from sluicegate.cli.manage.failure import USAGE, ManageError

_USUAL = "http://127.0.0.1:8080"
TIMEOUT = 10.0
"""Seconds."""

_CREDENTIAL_VARIABLE = "MANAGEMENT_TOKEN"
_URL_VARIABLE = "MANAGE_API_BASE_URL"
_SECRETS = ("api_key", "token", "password_from")
"""Options whose value may come from standard input."""
_DATA_VARIABLE = "SLUICEGATE_DATA_DIR"

Identifier = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="Its id.")]
Search = Annotated[str | None, typer.Option("--search", show_default=False, help="Part of a name or description.")]
After = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", show_default=False, help="Begin behind this entry.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, max=200, show_default=False, help="Entries of a page: 50.")
]
All = Annotated[bool, typer.Option("--all", help="Every page, not only one.")]
IfMatch = Annotated[
    str | None,
    typer.Option("--if-match", metavar="VERSION", show_default=False, help="Only if it still has this version."),
]
Once = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key", metavar="KEY", show_default=False, help="Sent twice with one key, it happens once."
    ),
]
Metadata = Annotated[
    str | None, typer.Option("--metadata", metavar="JSON", show_default=False, help="A JSON object to keep with it.")
]
Unset = Annotated[
    list[str] | None, typer.Option("--unset", metavar="FIELD", show_default=False, help="Take away; may be repeated.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask at a terminal whether it is meant.")]
SecretFile = Annotated[
    str | None,
    typer.Option(
        "--secret-file",
        metavar="PATH",
        show_default=False,
        help="Write the secret to this new file, and do not show it.",
    ),
]
Status = Annotated[str | None, typer.Option("--status", show_default=False, help="active or suspended.")]
Expiry = Annotated[
    str | None,
    typer.Option("--expires-at", metavar="TIME", show_default=False, help="As in 2030-12-31T23:59:59Z."),
]

_SHARED: Mapping[str, tuple[Any, Any]] = {
    "manage_api_base_url": (
        Annotated[
            str | None,
            typer.Option(
                "--manage-api-base-url",
                metavar="URL",
                show_default=False,
                help=f"The gateway's address, else the variable {_URL_VARIABLE}, else that of your own gateway on the"
                f" data directory, else {_USUAL}.",
            ),
        ],
        None,
    ),
    "management_token": (
        Annotated[
            str | None,
            typer.Option(
                "--management-token",
                metavar="TOKEN",
                show_default=False,
                help="The management token or an admin key: file:PATH, - for standard input, or itself, which others"
                f" on this machine can then read. Better in the variable {_CREDENTIAL_VARIABLE}.",
            ),
        ],
        None,
    ),
    "ca_file": (
        Annotated[
            str | None,
            typer.Option(
                "--ca-file", metavar="PATH", show_default=False, help="PEM file of the authorities to trust for https."
            ),
        ],
        None,
    ),
    "timeout": (
        Annotated[
            float | None,
            typer.Option(
                "--timeout", min=0.001, show_default=False, help=f"Seconds to wait for an answer: {TIMEOUT:g}."
            ),
        ],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")], False),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.")], False),
}
"""The options that every command and every group takes, with their defaults."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    client: Client
    display: Display


def group(explanation: str) -> typer.Typer:
    """A group of commands, in front of whose names the shared options may stand as well."""
    app = typer.Typer(help=explanation, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

    def remember(context: typer.Context, **given: Any) -> None:
        context.obj = _merged(context.obj, given)

    remember.__dict__["__signature__"] = _signature(())
    # Typer would show this function's text in place of the group's.
    app.callback(help=explanation)(remember)
    return app


def managing(
    command: Callable[..., None], *, instead: Callable[[Mapping[str, Any], Display], bool] | None = None
) -> Callable[..., None]:
    """Give a command a session, and its command line the shared options; what goes wrong ends the program.

    `instead` is tried before: it is given the command's own options, and returns whether it did all that there is to
    do without a gateway.
    """

    @wraps(command)
    def run(context: typer.Context, **given: Any) -> None:
        shared = _merged(context.obj, {name: given.pop(name) for name in _SHARED})
        try:
            if instead is not None and instead(given, Display(_form(shared))):
                return
            session = _session(shared, given)
            try:
                command(session, **given)
            finally:
                session.client.close()
        except UnicodeEncodeError:
            message = "error: an argument is no text in the encoding of this terminal: is LC_ALL or LANG right?"
            typer.echo(message, err=True)
            raise typer.Exit(USAGE) from None
        except ManageError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(error.exit_status) from None

    # Typer reads what a function takes from its signature.
    run.__dict__["__signature__"] = _signature(tuple(signature(command, eval_str=True).parameters.values())[1:])
    return run


def _session(shared: Mapping[str, Any], given: Mapping[str, Any]) -> Session:
    from sluicegate.config.environment import process_environment

    if shared["json"] and shared["quiet"]:
        raise ManageError("--json and --quiet: one of them", USAGE)
    environment = process_environment()
    credential = shared["management_token"] or environment.get(_CREDENTIAL_VARIABLE)
    if all(map(is_from_standard_input, (credential, next(filter(None, map(given.get, _SECRETS)), None)))):
        raise ManageError("Standard input can be read for one secret only: pass file:PATH for the other", USAGE)
    client = Client(
        shared["manage_api_base_url"] or environment.get(_URL_VARIABLE) or _own(environment) or _USUAL,
        management_token(credential),
        timeout=shared["timeout"] or TIMEOUT,
        ca_file=shared["ca_file"],
    )
    return Session(client, Display(_form(shared)))


def _own(environment: Mapping[str, str]) -> str | None:
    """Where this user's gateway on the data directory listens."""
    from sluicegate.supervisor.run_directory import recorded_address

    return recorded_address(Path(environment.get(_DATA_VARIABLE) or "data"), by=os.geteuid())


def _form(shared: Mapping[str, Any]) -> Form:
    if shared["json"]:
        return Form.JSON
    return Form.IDS if shared["quiet"] else Form.TABLE


def _merged(outer: Mapping[str, Any] | None, inner: Mapping[str, Any]) -> dict[str, Any]:
    """Shared options of two places on the command line; the later place counts."""
    return {name: inner[name] or (outer or {}).get(name) for name in _SHARED}


def _signature(own: tuple[Parameter, ...]) -> Signature:
    context = Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)
    shared = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _SHARED.items()
    ]
    return Signature([context, *(one.replace(kind=Parameter.KEYWORD_ONLY) for one in own), *shared])
