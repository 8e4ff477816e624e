"""What a measurement of our own found, for people and for programs: a Markdown file and a JSON file, named by date."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from sluicegate.bench.measure import Machine
from sluicegate.bench.results import table


class Findings(msgspec.Struct, frozen=True):
    """Rows that all have the same fields, the machine they were measured on, and how."""

    title: str
    machine: Machine
    method: tuple[str, ...]
    rows: tuple[Mapping[str, object], ...]


def write(findings: Findings, directory: Path, name: str) -> Path:
    """Write `DATE-name.json` and `DATE-name.md` into the directory, made if need be; return the latter."""
    directory.mkdir(parents=True, exist_ok=True)
    page = directory / f"{findings.machine.date[:10]}-{name}.md"
    page.write_text(as_markdown(findings), "utf-8")
    page.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(findings), indent=1) + b"\n")
    return page


def as_markdown(findings: Findings) -> str:
    """A table, and below it the method."""
    machine = findings.machine
    header = list(findings.rows[0]) if findings.rows else []
    rows: Sequence[Sequence[str]] = [[str(value) for value in row.values()] for row in findings.rows]
    parts = (
        f"# {findings.title}, {machine.date[:10]}",
        f"{machine.processor}, {machine.cores} cores, {machine.memory} MB, Linux {machine.kernel}, "
        f"Python {machine.python}.",
        table(header, rows),
        "## Method",
        "\n".join(f"- {sentence}" for sentence in findings.method),
    )
    return "\n\n".join(parts) + "\n"
