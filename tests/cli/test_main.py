"""The entry point: it lists every command, loads one, and says with its exit code whether it was asked rightly."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from sluicegate import __version__
from sluicegate.cli.main import COMMANDS, Command, main

group = typer.Typer(help="Says things.", no_args_is_help=True)


@group.command()
def say(word: str, times: int = 1) -> None:
    """Say a word."""
    typer.echo(" ".join([word] * times))


@group.command()
def fail() -> None:
    """Leave with an exit code of its own."""
    raise typer.Exit(3)


def greet(name: str) -> None:
    """Greet somebody."""
    typer.echo(f"hello {name}")


SAMPLES = (
    Command("things", f"{__name__}:group", "Say things."),
    Command("greet", f"{__name__}:greet", "Greet somebody."),
    Command("broken", "sluicegate.cli.no_such_module:nothing", "Is listed all the same."),
)


def run(*arguments: str, commands: tuple[Command, ...] = SAMPLES) -> int:
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as ended:
        main(arguments, commands=commands)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_help_lists_all_commands_and_loads_none(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names each command with its summary, in the table's order, even one whose module cannot be imported."""
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert shown.index("Say things.") < shown.index("Greet somebody.") < shown.index("Is listed all the same.")


def test_nothing_asked_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments the help is shown, and the exit code tells that nothing was done."""
    assert run() == 2
    output = capsys.readouterr()
    assert "greet" in output.out + output.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version."""
    assert run("--version") == 0
    assert capsys.readouterr().out == f"sluicegate {__version__}\n"


def test_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that does not exist ends with exit code 2 and the nearest name."""
    assert run("gret") == 2
    assert "'greet'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["greet"], ["greet", "a", "b"], ["greet", "--loud"], ["things", "nothing"]])
def test_wrong_arguments_are_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that a command does not take end with exit code 2 and name the command."""
    assert run(*arguments) == 2
    assert f"Usage: sluicegate {arguments[0]}" in capsys.readouterr().err


def test_function_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that is a function gets the arguments behind its name."""
    assert run("greet", "you") == 0
    assert capsys.readouterr().out == "hello you\n"


def test_group_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that is a group runs the command named in it."""
    assert run("things", "say", "yes", "--times", "2") == 0
    assert capsys.readouterr().out == "yes yes\n"


def test_command_of_a_group_is_named_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """Its help, and what is wrong with its arguments, begin with all that was typed to get there."""
    assert run("things", "say", "--help") == 0
    assert capsys.readouterr().out.startswith("Usage: sluicegate things say ")
    assert run("things", "say") == 2
    assert "Usage: sluicegate things say " in capsys.readouterr().err


def test_own_exit_code_is_kept() -> None:
    """The exit code that a command chooses is that of the program."""
    assert run("things", "fail") == 3


def test_commands_have_their_modules() -> None:
    """Each command's module stands in `cli/`, under the name in the table."""
    folder = Path(main.__code__.co_filename).parent
    modules = {command.target.partition(":")[0].rpartition(".")[2] for command in COMMANDS}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules == packages | {path.stem for path in folder.glob("*.py")} - {"__init__", "main"}


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of the table can be loaded and has help of its own."""
    assert run(command, "--help", commands=COMMANDS) == 0
    assert capsys.readouterr().out.startswith(f"Usage: sluicegate {command} ")


@pytest.mark.parametrize("arguments", [["--help"], *([command.name, "--help"] for command in COMMANDS)])
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    """Help is quick because it loads neither what decorates it nor what the program runs on."""
    program = (
        "import atexit, sys; heavy = {'rich', 'pydantic', 'uvloop', 'fastapi'};"
        "atexit.register(lambda: sys.stderr.write(repr(sorted(heavy & set(sys.modules)))));"
        "from sluicegate.cli.main import main; main(sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "[]")


def test_package_can_be_run() -> None:
    """`python -m sluicegate` is the same program."""
    done = subprocess.run([sys.executable, "-m", "sluicegate", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"sluicegate {__version__}\n"


def test_letters_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the output has no such letter, its number stands for it."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "latin-1"))
    assert run("greet", "\N{SNOWMAN}\xe9") == 0
    assert written.getvalue() == b"hello \\u2603\xe9\n"


@pytest.mark.parametrize("arguments", [["--version"], ["config", "schema"], ["manage", "token", "create", "--help"]])
def test_output_that_is_full(arguments: list[str]) -> None:
    """It is told in one line, not where in the program it was noticed."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(_program(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: standard output: No space left on device\n")


def test_output_that_is_closed() -> None:
    """What nobody wants to see is no reason to fail."""
    closing = ["sh", "-c", 'exec "$@" <&- >&-', "sh"]
    done = subprocess.run([*closing, *_program("config", "schema")], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_other_troubles_are_not_those_of_the_output() -> None:
    """A defect comes up as one."""
    with pytest.raises(ConnectionResetError):
        main(["defect"], commands=(Command("defect", f"{__name__}:defect", "Fail."),))


def defect() -> None:
    """Fail in a way that nobody has thought of."""
    raise ConnectionResetError


def _program(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "sluicegate", *arguments]
