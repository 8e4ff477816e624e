"""How answers are shown: tables for people, JSON for scripts, or nothing but ids."""

import codecs
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import typer

from sluicegate.cli.manage.failure import printable
from sluicegate.cli.manage.kinds import Kind

if TYPE_CHECKING:
    from rich.console import Console

_UNBOUNDED = 100_000
"""Columns where there is no terminal: what reads it wraps nothing, and half an id is none."""


class Form(Enum):
    """The three forms of output."""

    TABLE = "table"
    JSON = "json"
    IDS = "ids"


class Display:
    """Shows objects on standard output; remarks go to standard error."""

    def __init__(self, form: Form) -> None:
        """`form` is the same for all that is shown."""
        self.form = form

    def __repr__(self) -> str:
        """Tell the form."""
        return f"<Display {self.form.value}>"

    def one(self, kind: Kind, shown: Mapping[str, Any]) -> None:
        """Show one object."""
        if self.form is Form.IDS:
            typer.echo(shown[kind.id_field])
        elif self.form is Form.JSON:
            self._json(shown)
        else:
            self._fields(shown)

    def fields(self, shown: Mapping[str, Any]) -> None:
        """Show something that has no id: as JSON, else field by field; nothing where only ids are wanted."""
        if self.form is Form.JSON:
            self._json(shown)
        elif self.form is Form.TABLE:
            self._fields(shown)

    def many(self, kind: Kind, pages: Iterable[Mapping[str, Any]]) -> None:
        """Show a list, or the pages of it that there are."""
        if self.form is Form.IDS:
            for page in pages:
                for shown in page["data"]:
                    typer.echo(shown[kind.id_field])
            return
        rows: list[Mapping[str, Any]] = []
        cursor = None
        for page in pages:
            rows += page["data"]
            cursor = page.get("next_cursor")
        if self.form is Form.JSON:
            self._json({"data": rows, "next_cursor": cursor})
            return
        self._rows(kind.columns, rows)
        if cursor is not None:
            self.remark(f"There are more: --after {printable(str(cursor))}, or --all")

    def groups(self, kind: Kind, pages: Iterable[Mapping[str, Any]]) -> None:
        """Show groups of `data` on all pages, and what they come to together as the last line of the table."""
        read = list(pages)
        shown = {**read[-1], "data": [group for page in read for group in page["data"]]}
        if self.form is Form.JSON:
            self._json(shown)
        elif self.form is Form.IDS:
            for group in shown["data"]:
                typer.echo(printable(group[kind.id_field]))
        else:
            self._rows(kind.columns, [*shown["data"], {**shown["total"], kind.id_field: "total"}])
            if shown["has_more"]:
                cursor = printable(str(shown.get("next_cursor")))
                self.remark(f"There are more: --after {cursor}, or --all; the total is of all of them")

    def done(self, kind: Kind, identifier: str, what: str) -> None:
        """Say that something has happened to an object that is answered with no more than that."""
        if self.form is Form.IDS:
            typer.echo(identifier)
        elif self.form is Form.JSON:
            self._json({kind.id_field: identifier, what: True})
        else:
            typer.echo(f"{kind.name} {identifier}: {what}")

    def remark(self, text: str) -> None:
        """Tell people something that belongs to no answer."""
        if self.form is Form.TABLE:
            typer.echo(text, err=True)

    def _json(self, value: object) -> None:
        # Where something else than UTF-8 is written, JSON can do without.
        is_unicode = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
        typer.echo(json.dumps(value, indent=2, ensure_ascii=not is_unicode))

    def _rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(column.upper(), overflow="fold", no_wrap=column in {columns[0], "status"})
        for row in rows:
            # As Text: square brackets in a name are not markup.
            table.add_row(*(Text(_cell(row.get(column))) for column in columns))
        _console().print(table)

    def _fields(self, shown: Mapping[str, Any]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in shown.items():
            table.add_row(Text(name), Text(_cell(value)))
        _console().print(table)


def _console() -> "Console":
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _UNBOUNDED, highlight=False)


def _cell(value: object) -> str:
    """A value in words; a dash stands for nothing."""
    if value is None or value == "" or value == [] or value == {}:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # Of money nobody reads 1.8e-07.
        return f"{Decimal(repr(value)):f}"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return printable(", ".join(value))
    if isinstance(value, dict | list):
        return printable(json.dumps(value, ensure_ascii=False))
    return printable(str(value))
