"""The plugin of `examples/prompt-redaction`: installed beside the program, used by it, and missed by it."""

import configparser
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.polling import eventually
from tests.e2e.program import TOKEN, Gateway, run
from tests.e2e.recipe import Recipe, Upstream
from tests.rules.project import ROOT

EXAMPLE = ROOT / "examples" / "prompt-redaction"


def install(target: Path) -> None:
    """Put the package where `pip install --target` would, and write what it would write of its entry points."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))
    about, built = project["project"], project["tool"]["hatch"]["build"]["targets"]["wheel"]
    for name in built["only-include"]:
        (target / name).write_bytes((EXAMPLE / name).read_bytes())
    folder = target / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n", "utf-8"
    )
    points = configparser.ConfigParser()
    points.read_dict(about["entry-points"])
    with (folder / "entry_points.txt").open("w", encoding="utf-8") as file:
        points.write(file)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A provider."""
    with Upstream() as provider:
        yield provider


@pytest.fixture(scope="module")
def recipe(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe, with the variables that its user sets, and the package installed."""
    installed = tmp_path_factory.mktemp("installed")
    install(installed)
    return Recipe.of(
        "prompt-redaction",
        tmp_path_factory.mktemp("redaction"),
        OPENAI_BASE_URL=f"http://127.0.0.1:{upstream.port}/v1",
        OPENAI_API_KEY="key-0123456789",
        LAPTOP_TOKEN=TOKEN,
        PYTHONPATH=str(installed),
    )


@pytest.fixture(scope="module")
def gateway(recipe: Recipe) -> Iterator[Gateway]:
    """The gateway, started as the recipe says."""
    with recipe.start() as gateway:
        yield gateway


def test_the_recipe_works_as_written(gateway: Gateway, recipe: Recipe, upstream: Upstream) -> None:
    """The provider reads what the recipe says that it reads."""
    steps = [step for step in recipe.commands if not step.startswith("pip ")]
    assert len(steps) == 2
    done = recipe.walk(gateway, steps)
    assert [one.status for one in done] == [0, 0]
    assert json.loads(done[1].output)["object"] == "chat.completion"
    body = json.loads(upstream.requests[-1].partition(b"\r\n\r\n")[2])
    assert f"The provider reads: {body['messages'][0]['content']}\n" in recipe.explained
    assert body["model"] == "gpt-4o-mini"


def test_what_cannot_be_redacted_is_refused(gateway: Gateway, upstream: Upstream) -> None:
    """In the words of the API; the provider hears nothing of it."""
    before = len(upstream.requests)
    connection = gateway.connection()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "Content-Encoding": "gzip"}
    connection.request("POST", "/v1/chat/completions", b"compressed", headers)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["error"]["code"]) == (403, "not_redactable")
    assert len(upstream.requests) == before


def test_a_plugin_that_is_not_installed_is_told_before_the_start(recipe: Recipe) -> None:
    """By `config check`, with the line."""
    path = recipe.folder / "other.yaml"
    path.write_text("plugins:\n  - prompt-redaction\n")
    checked = run("config", "check", f"--config={path}")
    assert checked.returncode == 2
    text = " ".join((checked.stdout + checked.stderr).split())
    assert "plugins[0]: no installed package has the plugin 'prompt-redaction'; installed: there are none" in text


def test_a_plugin_that_cannot_be_loaded_lets_nothing_pass(start: Start, configuration: Path, tmp_path: Path) -> None:
    """It is installed, so that the start succeeds; workers say what is wrong with it, and refuse."""
    target = tmp_path / "broken"
    target.mkdir()
    install(target)
    (target / "prompt_redaction.py").write_text("raise LookupError('no rules')\n")
    with configuration.open("a") as file:
        file.write("plugins: [prompt-redaction]\n")
    gateway = start(f"--config={configuration}", PYTHONPATH=str(target)).until_ready()
    assert gateway.answers() == 503
    assert eventually(lambda: "the plugin prompt-redaction cannot be loaded: LookupError" in repr(gateway))
