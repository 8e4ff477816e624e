"""The tables in documents that the program itself determines; `python -m tests.documents` writes them anew."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from sluicegate.config.reference import Setting, settings_reference
from sluicegate.control.routes.table import ROUTES
from tests.rules.project import ROOT


def settings_table() -> str:
    """Every setting of the configuration."""
    rows = [
        f"| `{setting.path}` | {setting.kind} | {_default(setting)} | {setting.description} |"
        for setting in settings_reference()
    ]
    return "\n".join(["| setting | kind | default | meaning |", "|---|---|---|---|", *rows])


def routes_table() -> str:
    """Every path of the control process, in the order in which they are tried."""
    everybody = {"anyone", "caller"}
    rows = [
        f"| `{route.method}` | `{route.path}` | {route.least if route.least in everybody else f'`{route.least}`'} |"
        for route in ROUTES
    ]
    return "\n".join(["| method | path | least role |", "|---|---|---|", *rows])


TABLES: Mapping[Path, Callable[[], str]] = {
    ROOT / "docs/reference/configuration.md": settings_table,
    ROOT / "docs/reference/management.md": routes_table,
}


def with_table(page: str, table: str) -> str:
    """The page with this table in place of the one that begins with the same line. Raises ValueError for none."""
    head = table.partition("\n")[0]
    lines = page.splitlines()
    start = lines.index(head)
    behind = next((n for n in range(start, len(lines)) if not lines[n].startswith("|")), len(lines))
    return "\n".join([*lines[:start], *table.splitlines(), *lines[behind:], ""])


def _default(setting: Setting) -> str:
    if setting.is_required:
        return "required"
    default = setting.default
    if default is None or default in ({}, [], ()) or isinstance(default, dict):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def main() -> None:
    """Write the tables, and tell in which pages they have changed."""
    for path, table in TABLES.items():
        before = path.read_text("utf-8")
        after = with_table(before, table())
        if after != before:
            path.write_text(after, "utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)} is written anew\n")


if __name__ == "__main__":
    main()
