"""Budgets of length: a file that can be read in one sitting, a function on one screen."""

from collections.abc import Iterator

from tests.rules.project import Source, program, refuse

LONGEST_FILE = 500
LONG_FUNCTION, LONGEST_FUNCTION = 50, 80
SHARE_OF_LONG_FUNCTIONS = 0.02

EXEMPT_FILES: frozenset[str] = frozenset()
"""Migrations and tables of data, which are long without being hard to read."""


def too_long_files(sources: tuple[Source, ...]) -> Iterator[str]:
    """Files over the budget."""
    for source in sources:
        lines = source.text.count("\n")
        if lines > LONGEST_FILE and source.path not in EXEMPT_FILES:
            yield source.at(lines, f"{lines} lines, at most {LONGEST_FILE}")


def functions_over(sources: tuple[Source, ...], maximum: int) -> list[str]:
    """Functions of more lines than `maximum`, from `def` to their last line."""
    return [
        source.at(function.lineno, f"{function.name} has {length} lines, at most {maximum}")
        for source in sources
        for function in source.functions()
        if (length := (function.end_lineno or function.lineno) - function.lineno + 1) > maximum
    ]


def _function_of(lines: int) -> Source:
    return Source("src/sample.py", "def sample():\n" + "    pass\n" * (lines - 1))


def test_no_file_is_too_long() -> None:
    """No source file is longer than 500 lines."""
    refuse(too_long_files(program()), "a concept is missing: give it a name and a file of its own")


def test_no_function_is_too_long() -> None:
    """No function is longer than 80 lines."""
    findings = functions_over(program(), LONGEST_FUNCTION)
    refuse(findings, "let it call its parts by name")


def test_long_functions_are_rare() -> None:
    """At most 2 % of all functions are longer than 50 lines."""
    findings = functions_over(program(), LONG_FUNCTION)
    allowed = int(SHARE_OF_LONG_FUNCTIONS * sum(1 for source in program() for _ in source.functions()))
    refuse(findings if len(findings) > allowed else [], f"at most {allowed} may be this long: shorten some")


def test_long_file_is_found() -> None:
    """One line over the budget counts, the budget itself does not."""
    assert not list(too_long_files((Source("src/a.py", "x\n" * LONGEST_FILE),)))
    assert list(too_long_files((Source("src/a.py", "x\n" * (LONGEST_FILE + 1)),)))


def test_long_function_is_found() -> None:
    """A function's length counts from its `def` to its last line."""
    assert not functions_over((_function_of(80),), 80)
    assert functions_over((_function_of(81),), 80) == ["src/sample.py:1: sample has 81 lines, at most 80"]
