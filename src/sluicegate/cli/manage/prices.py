"""`sluicegate manage price`."""

from typing import Annotated, Any, Final

import typer

from sluicegate.cli.manage import operations
from sluicegate.cli.manage.failure import USAGE, ManageError
from sluicegate.cli.manage.kinds import PRICE
from sluicegate.cli.manage.options import After, All, Identifier, IfMatch, Limit, Once, Session, Unset, group, managing
from sluicegate.cli.manage.values import emptied, entity_tag, given, number, objects

app = group("Prices of models in one organisation, in place of what they cost elsewhere. Dollars for a million tokens.")

_EMPTY: Final[dict[str, Any]] = {
    "cache_read": None,
    "cache_write": None,
    "cache_write_1h": None,
    "input_audio": None,
    "output_audio": None,
    "request": 0,
    "tiers": [],
    "services": [],
    "longest_output": None,
    "context": None,
}
"""What can be taken away."""
_WHOLE: Final = ("input", "output", *_EMPTY)
"""What a price says."""


def _dollars(option: str, explanation: str) -> Any:
    return typer.Option(option, metavar="USD", show_default=False, help=explanation)


_Input = Annotated[str | None, _dollars("--input", "Of input: 2.50.")]
_Output = Annotated[str | None, _dollars("--output", "Of output.")]
_CacheRead = Annotated[str | None, _dollars("--cache-read", "Of input read from a cache.")]
_CacheWrite = Annotated[str | None, _dollars("--cache-write", "Of input written to a cache.")]
_CacheWriteLong = Annotated[str | None, _dollars("--cache-write-1h", "Of input written to a cache for an hour.")]
_InputAudio = Annotated[str | None, _dollars("--input-audio", "Of sound as input.")]
_OutputAudio = Annotated[str | None, _dollars("--output-audio", "Of sound as output.")]
_Request = Annotated[str | None, _dollars("--request", "Of each request.")]
_Tiers = Annotated[
    str | None,
    typer.Option(
        "--tiers",
        metavar="JSON",
        show_default=False,
        help="""Other rates for large inputs: '[{"above": 200000, "input": 2.5, "output": 15}]'.""",
    ),
]
_Services = Annotated[
    str | None,
    typer.Option(
        "--services",
        metavar="JSON",
        show_default=False,
        help="""Other rates by service tier: '[{"name": "flex", "input": 1.25, "output": 5}]'.""",
    ),
]
_LongestOutput = Annotated[
    int | None, typer.Option("--longest-output", show_default=False, help="Most tokens of one answer.")
]
_Context = Annotated[
    int | None, typer.Option("--context", show_default=False, help="Most tokens of input and output together.")
]


@app.command()
@managing
def create(
    session: Session,
    organization: Annotated[str, typer.Option("--organization", metavar="ID", show_default=False, help="Whose it is.")],
    provider: Annotated[str, typer.Option("--provider", show_default=False, help="As the configuration names it.")],
    model: Annotated[str, typer.Option("--model", show_default=False, help="As the provider calls it.")],
    input_rate: _Input = None,
    output_rate: _Output = None,
    cache_read: _CacheRead = None,
    cache_write: _CacheWrite = None,
    cache_write_1h: _CacheWriteLong = None,
    input_audio: _InputAudio = None,
    output_audio: _OutputAudio = None,
    request: _Request = None,
    tiers: _Tiers = None,
    services: _Services = None,
    longest_output: _LongestOutput = None,
    context_tokens: _Context = None,
    once: Once = None,
) -> None:
    """Set what a model costs; --input and --output must be named."""
    if input_rate is None or output_rate is None:
        raise ManageError("--input and --output: a price has both", USAGE)
    whose = {"organization_id": organization, "provider": provider, "model": model}
    said = _said(
        input=input_rate,
        output=output_rate,
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_1h=cache_write_1h,
        input_audio=input_audio,
        output_audio=output_audio,
        request=request,
        tiers=tiers,
        services=services,
        longest_output=longest_output,
        context=context_tokens,
    )
    operations.create(session, PRICE, whose | said, once=once)


@app.command("list")
@managing
def list_them(
    session: Session,
    organization: Annotated[
        str | None, typer.Option("--organization", metavar="ID", show_default=False, help="Only of this one.")
    ] = None,
    after: After = None,
    limit: Limit = None,
    is_all: All = False,
) -> None:
    """List prices that were set, oldest first."""
    filters = given(organization_id=organization)
    operations.show_list(session, PRICE, filters, after=after, limit=limit, is_all=is_all)


@app.command()
@managing
def show(session: Session, identifier: Identifier) -> None:
    """Show one."""
    operations.show(session, PRICE, identifier)


@app.command()
@managing
def update(
    session: Session,
    identifier: Identifier,
    input_rate: _Input = None,
    output_rate: _Output = None,
    cache_read: _CacheRead = None,
    cache_write: _CacheWrite = None,
    cache_write_1h: _CacheWriteLong = None,
    input_audio: _InputAudio = None,
    output_audio: _OutputAudio = None,
    request: _Request = None,
    tiers: _Tiers = None,
    services: _Services = None,
    longest_output: _LongestOutput = None,
    context_tokens: _Context = None,
    unset: Unset = None,
    if_match: IfMatch = None,
) -> None:
    """Change one, for what is asked from now on. --unset takes anything but input and output away."""
    changes = _said(
        input=input_rate,
        output=output_rate,
        cache_read=cache_read,
        cache_write=cache_write,
        cache_write_1h=cache_write_1h,
        input_audio=input_audio,
        output_audio=output_audio,
        request=request,
        tiers=tiers,
        services=services,
        longest_output=longest_output,
        context=context_tokens,
    )
    changes |= emptied(unset or (), _EMPTY, changes)
    if not changes:
        raise ManageError("There is nothing to change: say what, or see --help", USAGE)
    path = operations.below(PRICE, identifier)
    present = session.client.ask("GET", path)
    # The API takes whole prices: what stands there is put again, unless somebody has changed it in between.
    whole = {name: present.body.get(name) for name in _WHOLE} | changes
    version = entity_tag(if_match or present.version)
    operations.show_answer(session, PRICE, session.client.ask("PUT", path, body=whole, if_match=version))


@app.command()
@managing
def delete(session: Session, identifier: Identifier, if_match: IfMatch = None) -> None:
    """Take one away: the model costs what it costs elsewhere."""
    operations.remove(session, PRICE, identifier, "deleted", if_match=if_match)


def _said(*, tiers: str | None, services: str | None, **fields: Any) -> dict[str, Any]:
    """What a price says, as far as an option was given for it: amounts as they were written."""
    said = {name: number(value) if isinstance(value, str) else value for name, value in fields.items()}
    lists = given(tiers=tiers, services=services)
    return given(**said) | {name: objects(text, f"--{name}") for name, text in lists.items()}
