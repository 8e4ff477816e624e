"""A project's own keys for providers: written, replaced and deleted, never read back."""

from typing import Annotated

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.client import segment
from sluicegate.cli.manage.credential import secret
from sluicegate.cli.manage.kinds import PROVIDER_KEY
from sluicegate.cli.manage.options import Identifier, IfMatch, Session, Yes, managing
from sluicegate.cli.manage.values import entity_tag

_Provider = Annotated[str, typer.Argument(show_default=False, help="The provider, as the configuration names it.")]
_Key = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        metavar="FROM",
        show_default=False,
        help="file:PATH, or - for standard input; else it is asked for at a terminal.",
    ),
]


@managing
def set_key(
    session: Session, identifier: Identifier, provider: _Provider, api_key: _Key = None, if_match: IfMatch = None
) -> None:
    """Set a project's own key for a provider, in place of an earlier one."""
    body = {"api_key": secret(api_key, "the provider's key")}
    answer = session.client.ask("PUT", _path(identifier, provider), body=body, if_match=entity_tag(if_match))
    session.display.one(PROVIDER_KEY, answer.body)


@managing
def list_keys(session: Session, identifier: Identifier) -> None:
    """List for which providers a project has keys of its own."""
    session.display.many(PROVIDER_KEY, session.client.pages(_path(identifier), {}))


@managing
def delete_key(
    session: Session, identifier: Identifier, provider: _Provider, yes: Yes = False, if_match: IfMatch = None
) -> None:
    """Delete a project's own key for a provider: the gateway's is used from then on."""
    operations.confirm(f"Delete the key of project {identifier} for {provider}?", is_sure=yes)
    path = _path(identifier, provider)
    operations.remove(session, PROVIDER_KEY, provider, "deleted", if_match=if_match, path=path)


def _path(project: str, provider: str | None = None) -> str:
    path = PROVIDER_KEY.path.format(project_id=segment(project))
    return path if provider is None else f"{path}/{segment(provider)}"
