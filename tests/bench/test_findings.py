"""Files that tell what was found."""

import json
from pathlib import Path

from sluicegate.bench.findings import Findings, write
from sluicegate.bench.measure import Machine

MACHINE = Machine("2026-11-21T12:00:00+00:00", "a processor", 2, "6.1", "3.13", 4096)


def test_findings_are_written_twice(tmp_path: Path) -> None:
    """As a page with the machine, a table and the method, and as JSON with the same in it; the date is in the names."""
    rows = ({"what": "get", "ms": 1.25}, {"what": "list", "ms": 3.0})
    page = write(Findings("Reads", MACHINE, ("Once.", "On one machine."), rows), tmp_path / "new", "reads")
    assert page == tmp_path / "new" / "2026-11-21-reads.md"
    assert page.read_text() == (
        "# Reads, 2026-11-21\n\na processor, 2 cores, 4096 MB, Linux 6.1, Python 3.13.\n\n"
        "| what | ms |\n| --- | --: |\n| get | 1.25 |\n| list | 3.0 |\n\n## Method\n\n- Once.\n- On one machine.\n"
    )
    told = json.loads(page.with_suffix(".json").read_text())
    assert (told["rows"], told["machine"]["cores"], told["method"]) == (list(rows), 2, ["Once.", "On one machine."])


def test_nothing_found_is_told_as_well(tmp_path: Path) -> None:
    """A table without a row."""
    assert "| --- |" in write(Findings("Reads", MACHINE, (), ()), tmp_path, "reads").read_text()
