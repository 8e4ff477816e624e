"""Values as cells of a CSV file.

Rule 1. A cell that a spreadsheet would take for a formula is written behind an apostrophe, and read without it (OWASP,
        "CSV Injection"); what is written is read as it was.
"""

import json
import re
from decimal import Decimal
from typing import Any

# Full-width forms too: some spreadsheets take them for the ASCII ones.
_FORMULA = re.compile(r"'*(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")


def cell_of(value: Any) -> str:
    """A JSON value as a cell: nothing for null, what is neither text nor number as JSON."""
    if isinstance(value, dict | list | bool):
        value = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, float):
        value = f"{Decimal(repr(value)):f}"
    text = "" if value is None else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def text_of(cell: str) -> str:
    """The text of which `cell_of` made it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
