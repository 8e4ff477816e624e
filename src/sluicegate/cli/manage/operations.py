"""What is done alike to objects of every kind."""

import sys
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from sluicegate.cli.manage.client import MOST, Answer, segment
from sluicegate.cli.manage.credential import new_file
from sluicegate.cli.manage.display import Form
from sluicegate.cli.manage.failure import FAILED, USAGE, ManageError
from sluicegate.cli.manage.kinds import Kind
from sluicegate.cli.manage.options import Session
from sluicegate.cli.manage.values import entity_tag


def create(session: Session, kind: Kind, body: Mapping[str, Any], *, once: str | None) -> None:
    """Make an object and show it."""
    session.display.one(kind, _object(_post(session, kind.path, body, once or _new_key())))


def issue(
    session: Session,
    kind: Kind,
    body: Mapping[str, Any],
    *,
    once: str | None,
    secret_file: str | None,
    path: str | None = None,
    if_match: str | None = None,
) -> None:
    """Make an object that has a secret, and show both: nobody can ever again."""
    assert kind.shown_once is not None
    if secret_file is None and session.display.form is Form.IDS:
        raise ManageError(
            "--quiet would not show the secret, and nothing else ever does: add --secret-file PATH", USAGE
        )
    file = None if secret_file is None else Path(secret_file)
    key = once or _new_key()
    with new_file(file):
        shown = _object(_post(session, path or kind.path, body, key, if_match))
        try:
            if file is None:
                session.display.one(kind, shown)
                session.display.remark(f"The {kind.name} is shown this once: keep it.")
            else:
                file.write_text(f"{shown[kind.shown_once]}\n", "utf-8")
                session.display.one(kind, shown | {kind.shown_once: f"file:{file}"})
        except OSError as error:
            if file is not None:
                file.write_bytes(b"")
            lines = [f"{file or 'standard output'}: {error.strerror}"]
            lines.append(f"The {kind.name} exists. The same command shows it after all, and makes no other, with")
            raise ManageError("\n".join([*lines, f"  --idempotency-key {key}"]), FAILED) from None


def show(session: Session, kind: Kind, identifier: str) -> None:
    """Show an object."""
    show_answer(session, kind, session.client.ask("GET", below(kind, identifier)))


def show_answer(session: Session, kind: Kind, answer: Answer) -> None:
    """Show the object that was answered."""
    session.display.one(kind, _object(answer))


def show_part(session: Session, kind: Kind, identifier: str, part: str) -> None:
    """Show what is below an object."""
    session.display.fields(_object(session.client.ask("GET", f"{below(kind, identifier)}/{part}")))


def show_list(
    session: Session,
    kind: Kind,
    filters: Mapping[str, str],
    *,
    after: str | None,
    limit: int | None,
    is_all: bool,
) -> None:
    """Show a page of a list, or everything from there on."""
    size = limit or (MOST if is_all else None)
    query = dict(filters)
    if size is not None:
        query["limit"] = str(size)
    if after is not None:
        query["after"] = after
    session.display.many(kind, islice(session.client.pages(kind.path, query), None if is_all else 1))


def update(session: Session, kind: Kind, identifier: str, body: Mapping[str, Any], *, if_match: str | None) -> None:
    """Change some fields of an object and show it."""
    if not body:
        raise ManageError("There is nothing to change: say what, or see --help", USAGE)
    answer = session.client.ask("PATCH", below(kind, identifier), body=body, if_match=entity_tag(if_match))
    show_answer(session, kind, answer)


def act(session: Session, kind: Kind, identifier: str, verb: str, *, if_match: str | None) -> None:
    """Do what only has a name to an object, and show it."""
    answer = session.client.ask("POST", f"{below(kind, identifier)}/{verb}", if_match=entity_tag(if_match))
    show_answer(session, kind, answer)


def remove(
    session: Session, kind: Kind, identifier: str, what: str, *, if_match: str | None, path: str | None = None
) -> None:
    """Have an object deleted or revoked; `what` says which of both."""
    session.client.ask("DELETE", path or below(kind, identifier), if_match=entity_tag(if_match))
    session.display.done(kind, identifier, what)


def revoke_all(session: Session, owner: str, identifier: str) -> None:
    """Revoke all tokens of an owner; `owner` is the field that names it."""
    answer = session.client.ask("POST", "/admin/tokens/revoke", body={owner: identifier})
    session.display.fields(_object(answer))


def confirm(question: str, *, is_sure: bool) -> None:
    """Ask at a terminal; who is not asked, as in a script, has decided already."""
    if not is_sure and sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)


def below(kind: Kind, identifier: str) -> str:
    """The path of one object."""
    return f"{kind.path}/{segment(identifier)}"


def _post(session: Session, path: str, body: Mapping[str, Any], key: str, if_match: str | None = None) -> Answer:
    return session.client.ask("POST", path, body=body, idempotency_key=key, if_match=entity_tag(if_match))


def _new_key() -> str:
    """What a creation always has: where its answer is lost, this is how to get it after all."""
    import secrets

    return secrets.token_hex(16)


def _object(answer: Answer) -> dict[str, Any]:
    """The object, with the version that `--if-match` takes."""
    if not isinstance(answer.body, dict):
        raise ManageError("The answer is no object; is this the gateway?", FAILED)
    return answer.body if answer.version is None else {**answer.body, "version": answer.version}
