"""`sluicegate route`: where a request would go and why. Asks the management API; no provider is asked."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from sluicegate.cli.manage.credential import secret
from sluicegate.cli.manage.display import Form
from sluicegate.cli.manage.failure import FAILED, USAGE, ManageError, printable
from sluicegate.cli.manage.options import Session, group, managing
from sluicegate.cli.manage.values import given

app = group("Explain where requests would go, without sending any.")


@app.command()
@managing
def explain(
    session: Session,
    model: Annotated[str, typer.Argument(show_default=False, help="The model, as a client would name it.")],
    token: Annotated[
        str | None,
        typer.Option(
            "--token", metavar="FROM", show_default=False, help="Of this token: file:PATH, or - for standard input."
        ),
    ] = None,
    token_id: Annotated[
        str | None, typer.Option("--token-id", metavar="ID", show_default=False, help="Of the token with this id.")
    ] = None,
    user_id: Annotated[
        str | None, typer.Option("--user-id", metavar="ID", show_default=False, help="Of this user.")
    ] = None,
    path: Annotated[
        str | None, typer.Option("--path", show_default=False, help="Asked for; else /v1/chat/completions.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="REGION", show_default=False, help="May be served there; may be repeated."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", show_default=False, help="Must have this tag; may be repeated."),
    ] = None,
) -> None:
    """Show who would answer a request for a model, with what share, or why it would be refused."""
    if sum(one is not None for one in (token, token_id, user_id)) > 1:
        raise ManageError("--token, --token-id and --user-id: one of them", USAGE)
    if token is not None:
        body = given(token=secret(token, "the token"), model=model, path=path, regions=region, tags=tag)
        answer = session.client.ask("POST", "/admin/route/explain", body=body)
    else:
        words = given(region=",".join(region or ()) or None, tags=",".join(tag or ()) or None)
        query = given(model=model, token_id=token_id, user_id=user_id, path=path) | words
        answer = session.client.ask("GET", "/admin/route", query=query)
    if not isinstance(answer.body, dict) or not isinstance(answer.body.get("groups"), list):
        raise ManageError("The answer is no explanation; is this the gateway?", FAILED)
    if session.display.form is Form.JSON:
        session.display.fields(answer.body)
        return
    lines = _ids(answer.body) if session.display.form is Form.IDS else _lines(answer.body)
    for line in lines:
        typer.echo(printable(line))


def _ids(told: Mapping[str, Any]) -> Iterator[str]:
    """The deployments that would be asked, in their order."""
    for group_ in told["groups"]:
        yield from (one["deployment"] for one in group_["candidates"] if one["excluded"] is None)


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    verdict = "allowed" if told["allowed"] else f"refused: {told['refusal']}"
    yield f"{told['model']} on {told['path']}: {verdict}"
    if told["caller"] is not None:
        yield f"asked by    {told['caller']['kind']} {told['caller']['id']} {told['caller']['name']}".rstrip()
    if told["overridden_by"] is not None:
        yield f"answered by {told['answered_by']}, the model of the {told['overridden_by']}"
    if told["rule"] is not None:
        yield f"found as    {_RULES[told['rule']]} {told['alias'] or ''}".rstrip()
        yield f"chosen by   {told['strategy']}{_sticky(told['sticky'])}"
    for name in ("regions", "tags"):
        if told[name]:
            yield f"{name:<11} {', '.join(told[name])}"
    for group_ in told["groups"]:
        yield "targets" if group_["rank"] == 0 else f"fallback {group_['rank']}"
        yield from map(_candidate, group_["candidates"])
    if told["groups"]:
        retries = told["retries"]
        yield f"attempts    {retries['attempts']} within {retries['deadline']:g} s, on {_joined(retries['statuses'])}"
        if told["hedge"] is not None:
            yield f"hedged      after {told['hedge']:g} s"


_RULES = {"alias": "alias", "wildcard": "alias", "provider": "provider/model", "default": "model of a default provider"}


def _sticky(told: Mapping[str, Any]) -> str:
    if not told["by"]:
        return ""
    return f", sticky by {told['by']} {told['header']}".rstrip()


def _candidate(told: Mapping[str, Any]) -> str:
    share = "   -   " if told["share"] is None else f"{told['share']:6.2f}%"
    price = told["price"]
    cost = "no known price" if price is None else f"${price['input']:g} in, ${price['output']:g} out for a million"
    timeouts = told["timeouts"]
    seconds = f"first byte {timeouts['first_byte']:g} s, in all {timeouts['total']:g} s"
    line = f"  {share}  {told['deployment']}  {told['model']}  {told['state']}  {cost}; {seconds}"
    return line if told["excluded"] is None else f"{line}; left out: {told['excluded']}"


def _joined(values: list[Any]) -> str:
    return ", ".join(map(str, values)) or "no status"
