"""References are replaced once, by the environment and by files, and nothing else is touched."""

from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.references import UnresolvedError, resolve


def no_file(path: str) -> NoReturn:
    """No file is read in most of these tests."""
    raise AssertionError(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"),
        ("x${A}y${B}z", "xoneytwoz"),
        ("${NONE:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${A:-default}", "one"),
        ("${NONE:-}", ""),
        ("${NONE:-a:-b}", "a:-b"),
        ("$${A}", "${A}"),
        ("$$$${A}", "$${A}"),
        ("a$b $1 $", "a$b $1 $"),
        ("$$A", "$A"),
        ("$a", "$a"),
        ("${REFERENCE}", "${A}"),
        ("${FILE}", "file:/etc/passwd"),
        ("plain", "plain"),
    ],
)
def test_variables(text: str, value: str) -> None:
    """Variables and defaults are put in; what they hold is not looked at again."""
    environment = {"A": "one", "B": "two", "EMPTY": "", "REFERENCE": "${A}", "FILE": "file:/etc/passwd"}
    assert resolve(text, environment=environment, read_file=no_file) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "the environment variable NONE is not set"),
        ("${EMPTY}", "the environment variable EMPTY is empty"),
        ("${}", "must hold a variable's name"),
        ("$A", r"^\$A is no reference: write \$\{A\}, or \$\$A to mean the characters$"),
        ("${1A}", "must hold a variable's name"),
        ("${A", "must hold a variable's name"),
        ("${A:-${B}}", "must hold a variable's name"),
        ("${A-b}", "must hold a variable's name"),
    ],
)
def test_what_leads_nowhere(text: str, message: str) -> None:
    """A reference that cannot be followed is an error that names the variable."""
    with pytest.raises(UnresolvedError, match=message):
        resolve(text, environment={"A": "x", "EMPTY": ""}, read_file=no_file)


def test_a_file_gives_its_text_without_the_last_line_breaks() -> None:
    """`file:` reads a secret as `echo` wrote it; variables may stand in the path, `$` in the file means nothing."""
    files = {"/run/secrets/key": " s3cret ${A}\r\n\n"}
    text = resolve("file:${DIR}/key", environment={"DIR": "/run/secrets"}, read_file=files.__getitem__)
    assert text == " s3cret ${A}"


def test_a_file_that_cannot_be_read() -> None:
    """The error names the file and the reason."""

    def missing(path: str) -> NoReturn:
        raise FileNotFoundError(2, "No such file or directory", path)

    def binary(path: str) -> NoReturn:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "hunter2")

    with pytest.raises(UnresolvedError, match=r"^cannot read the file /x: No such file or directory$"):
        resolve("file:/x", environment={}, read_file=missing)
    with pytest.raises(UnresolvedError, match=r"^the file /x is not UTF-8 text of at most 1 MiB$"):
        resolve("file:/x", environment={}, read_file=binary)


@given(st.text().filter(lambda text: not text.startswith("file:")))
def test_any_text_can_be_written(text: str) -> None:
    """With its dollar signs doubled, every text stands for itself."""
    assert resolve(text.replace("$", "$$"), environment={}, read_file=no_file) == text


@given(st.text(), st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True))
def test_any_value_arrives_unchanged(value: str, name: str) -> None:
    """What a variable holds is taken as it is, references and all."""
    resolved = resolve(f"<${{{name}:-none}}>", environment={name: value}, read_file=no_file)
    assert resolved == f"<{value or 'none'}>"
