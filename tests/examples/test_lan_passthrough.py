"""The recipe's files, which only Docker and the forge run, hold together: with each other and with the program."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluicegate.config.environment import CALLER_VARIABLE, KNOWN_PROVIDERS, SETTING_VARIABLES
from tests.rules.project import ROOT

RECIPE = ROOT / "examples" / "lan-passthrough"
WORKFLOWS = ROOT / ".github" / "workflows"
VARIABLES = {
    "OPENAI_BASE_URL",
    "OPENAI_API_KEY",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_KEY",
    "PROXY_TOKEN",
    "PORT",
    "ANTHROPIC_VERSION",
}


def read_yaml(path: Path) -> dict[str, Any]:
    """The file's content. A workflow's `on` is a truth value to YAML 1.1 and comes back as the key True."""
    content: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    return {"on" if key is True else key: value for key, value in content.items()}


@pytest.fixture
def gateway() -> dict[str, Any]:
    """The one service of the compose file."""
    service: dict[str, Any] = read_yaml(RECIPE / "compose.yaml")["services"]["gateway"]
    return service


@pytest.fixture
def stages() -> list[str]:
    """The stages of the Dockerfile, each instruction on one line."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:]


def test_recipe_explains_each_variable() -> None:
    """The recipe's table names exactly the variables of which it consists."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (RECIPE / "README.md").read_text("utf-8"), re.MULTILINE)
    assert set(rows) == VARIABLES


def test_example_environment_is_understood() -> None:
    """The example environment offers the recipe's variables, and none that the program would not read."""
    offered = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    understood = {CALLER_VARIABLE, *(name for name, _ in SETTING_VARIABLES)}
    for known in KNOWN_PROVIDERS:
        understood |= {*known.key_variables, known.base_url_variable or "", known.version_variable or ""}
    assert VARIABLES <= set(offered) <= understood


def test_example_environment_holds_no_secret() -> None:
    """Keys and tokens are left empty in the example environment."""
    text = (ROOT / ".env.example").read_text("utf-8")
    assert not re.search(r"^\w+_(KEY|TOKEN)=.", text, re.MULTILINE)


def test_compose_publishes_the_port_it_listens_on(gateway: dict[str, Any]) -> None:
    """The port published, the port listened on and the port asked for health are the same."""
    port = gateway["environment"]["PORT"]
    assert gateway["ports"] == [f"${{PORT:-{port}}}:{port}"]
    assert f":{port}/healthz" in gateway["healthcheck"]["test"][-1]
    assert gateway["env_file"] == ".env"


def test_compose_gives_no_rights_away(gateway: dict[str, Any]) -> None:
    """The container can write to its data only, and cannot gain rights."""
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    assert [volume.partition(":")[2] for volume in gateway["volumes"]] == ["/data"]


def test_compose_builds_this_repository(gateway: dict[str, Any]) -> None:
    """The image is built from the Dockerfile at the root."""
    assert (RECIPE / gateway["build"] / "Dockerfile").resolve() == ROOT / "Dockerfile"


def test_image_installs_by_hash(stages: list[str]) -> None:
    """Everything that is installed from requirement files is checked by hash."""
    installs = re.findall(r"pip install [^&\n]*-r [^&\n]*", stages[0])
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)


def test_image_copies_what_exists_and_is_not_ignored(stages: list[str]) -> None:
    """Each file that the Dockerfile copies exists and is let through by `.dockerignore`."""
    let_through = re.findall(r"^!(.+?)/?$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    copied = [word for line in re.findall(r"^COPY (?!--)(.*) \S+$", stages[0], re.MULTILINE) for word in line.split()]
    assert {"pyproject.toml", "src/"} <= set(copied)
    for word in copied:
        assert (ROOT / word).exists(), word
        assert word.partition("/")[0] in let_through, word


def test_image_runs_without_root(stages: list[str]) -> None:
    """What runs is an unprivileged user's, with the program as its entry point, on a Python that we support."""
    final = stages[-1]
    user = re.findall(r"^USER (\d+)$", final, re.MULTILINE)
    assert user == re.findall(r"--uid (\d+)", final)
    assert 'ENTRYPOINT ["sluicegate"]' in final
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    versions = {re.findall(r"^FROM python:([\d.]+)-slim", stage)[0] for stage in stages}
    assert len(versions) == 1
    assert f"Programming Language :: Python :: {versions.pop()}" in project["classifiers"]


def test_image_is_published_from_main_and_tags() -> None:
    """The image is built for two processors and published from `main` and from tags, after the tests."""
    workflow = read_yaml(WORKFLOWS / "image.yaml")
    assert workflow["on"] == {"push": {"branches": ["main"], "tags": ["v*"]}}
    publish = workflow["jobs"]["publish"]
    build = publish["steps"][-1]["with"]
    assert build["platforms"].split(",") == ["linux/amd64", "linux/arm64"]
    assert build["push"] is True
    assert publish["permissions"] == {"contents": "read", "packages": "write"}
    assert (ROOT / workflow["jobs"][publish["needs"]]["uses"]).exists()


def test_changes_are_tested_on_each_supported_python() -> None:
    """CI runs the one command of `.ci/run` on every Python version that the project claims to support."""
    job = read_yaml(WORKFLOWS / "ci.yaml")["jobs"]["test"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    claimed = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    assert job["strategy"]["matrix"]["python"] == claimed
    assert job["steps"][-1] == {"run": "bash .ci/run"}
