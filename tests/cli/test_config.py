"""`sluicegate config` says what is wrong, shows what is in force, and keeps secrets."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from sluicegate.cli.config import app
from sluicegate.config.environment import CALLER_VARIABLE, CONFIG_VARIABLE, KNOWN_PROVIDERS, SETTING_VARIABLES
from tests.cli.manage.gateway import CREDENTIAL, ScriptedApi

PROXIES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")


def run(*arguments: str, **environment: str) -> Result:
    """Run the command in an environment that holds nothing else of meaning to it."""
    known = [CONFIG_VARIABLE, CALLER_VARIABLE, *(name for name, _ in SETTING_VARIABLES)]
    for provider in KNOWN_PROVIDERS:
        known += [*provider.key_variables, provider.base_url_variable or "", provider.version_variable or ""]
    known += [*PROXIES, *map(str.upper, PROXIES)]
    cleared: dict[str, str | None] = dict.fromkeys(filter(None, known))
    return CliRunner().invoke(app, [*arguments], env=cleared | environment)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration file with one reference."""
    path = tmp_path / "a.yaml"
    path.write_text("providers: {a: {dialect: openai, base_url: 'http://h/v1', api_key: '${KEY}'}}\n")
    return path


def test_check_accepts(file: Path) -> None:
    """A valid configuration gives status 0 and a line of what is in it."""
    result = run("check", "--config", str(file), KEY="hunter2", PROXY_TOKEN="hunter2hunter2")
    assert (result.exit_code, result.stdout) == (0, f"valid: providers 1, models 0, tokens 1, from {file}\n")


def test_check_refuses(file: Path) -> None:
    """An invalid one gives status 2 and its problems on standard error."""
    result = run("check", "--config", str(file), PORT="hunter2")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"{file}:1: providers.a.api_key: the environment variable KEY is not set",
        "environment: PORT: must be a whole number",
    ]


def test_check_reads_the_key_file(file: Path, tmp_path: Path) -> None:
    """One that `serve` would not start with gives status 2 and its problems, without a key; a good one none."""
    keys = tmp_path / "keys.json"
    key = {"key": "sk-of-somebody-123456", "name": "a", "token_limit_per_5h": 5, "expiry_date": "2030-12-31"}

    def checked(content: str) -> tuple[int, str]:
        keys.write_text(content)
        result = run("check", "--config", str(file), KEY="hunter2", DATA_FILE=str(keys))
        return result.exit_code, result.stderr

    assert checked(json.dumps({"keys": [key]})) == (0, "")
    status, told = checked(json.dumps({"keys": [key | {"expiry_date": "soon"}]}))
    assert (status, told.startswith(f"{keys}: keys[0].expiry_date: must be a time"), "sk-of" in told) == (
        2,
        True,
        False,
    )
    assert checked("{")[0] == 2
    missing = run("check", "--config", str(file), KEY="hunter2", DATA_FILE=str(tmp_path / "none.json"))
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert missing.stderr == f"{tmp_path}/none.json: cannot be read: No such file or directory\n"


def test_the_environment_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an option SLUICEGATE_CONFIG counts; without either, the environment alone is checked."""
    monkeypatch.chdir(file.parent)
    assert run("check", SLUICEGATE_CONFIG=str(file), KEY="hunter2").stdout.startswith("valid: providers 1")
    assert run("check").stdout == "valid: providers 0, models 0, tokens 0, from the environment alone\n"


def test_the_file_in_the_working_directory_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` and `show` take ./sluicegate.yaml as `serve` does, unless another file is named."""
    monkeypatch.chdir(file.parent)
    Path("sluicegate.yaml").write_text("server: {port: 81}")
    assert run("check").stdout.endswith(", from sluicegate.yaml\n")
    assert yaml.safe_load(run("show").stdout)["server"]["port"] == 81
    assert run("check", "--config", str(file), KEY="hunter2").stdout.endswith(f", from {file}\n")


@pytest.mark.parametrize("flags", [(), ("--redacted",)])
def test_show_hides_secrets(file: Path, flags: tuple[str, ...]) -> None:
    """The settings in force come out as YAML, with the secrets replaced, asked for or not."""
    result = run("show", "--config", str(file), *flags, KEY="hunter2", PORT="81")
    shown = yaml.safe_load(result.stdout)
    assert (result.exit_code, shown["server"]["port"], shown["providers"]["a"]["api_key"]) == (0, 81, "****")
    assert "hunter2" not in result.output


def test_show_refuses_what_check_refuses(file: Path) -> None:
    """Nothing is shown of an invalid configuration but what is wrong with it."""
    result = run("show", "--config", str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "KEY is not set" in result.stderr


def test_schema_is_json() -> None:
    """The JSON Schema can be piped into a file."""
    schema = json.loads(run("schema").stdout)
    assert {"server", "providers", "models", "tokens"} <= schema["properties"].keys()


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """A scripted gateway."""
    api = ScriptedApi()
    yield api
    api.close()


CHANGES = [
    {"path": "server.port", "before": "8080", "after": "9090", "is_secret": False, "needs_restart": True},
    {"path": "providers.a.api_key", "before": "****", "after": "****", "is_secret": True, "needs_restart": False},
]


def test_diff_asks_a_gateway(api: ScriptedApi) -> None:
    """What a reload would change is shown a line each, as JSON, or as paths alone."""
    where = {"MANAGEMENT_TOKEN": CREDENTIAL, "MANAGE_API_BASE_URL": api.url}
    for _ in range(3):
        api.will_answer({"version": 1, "changes": CHANGES})
    result = run("diff", **where)
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        ["server.port: 8080 → 9090 (needs a restart)", "providers.a.api_key: changed"],
    )
    assert json.loads(run("diff", "--json", **where).stdout) == {"changes": CHANGES}
    assert run("diff", "-q", **where).stdout == "server.port\nproviders.a.api_key\n"
    assert {one.line for one in api.asked} == {"GET /admin/config/diff"}
    api.will_answer({"version": 1, "changes": []})
    result = run("diff", **where)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing differs\n")
    api.will_answer({"data": []})
    assert run("diff", **where).exit_code == 1


def test_diff_compares_files_without_a_gateway(file: Path, tmp_path: Path) -> None:
    """Two files are compared as they would be loaded, with no secret shown and no credential asked for."""
    other = tmp_path / "b.yaml"
    other.write_text(file.read_text() + "server: {drain_seconds: 7}\n")
    result = run("diff", str(file), str(other), KEY="hunter2")
    assert (result.exit_code, result.stdout) == (0, "server.drain_seconds: 30.0 → 7.0\n")
    assert run("diff", str(file), str(file), KEY="hunter2").stderr == "nothing differs\n"
    broken = run("diff", str(file), str(tmp_path / "none.yaml"), KEY="hunter2")
    assert (broken.exit_code, "cannot be read" in broken.stderr) == (2, True)
    lonely = run("diff", str(file), KEY="hunter2")
    assert (lonely.exit_code, "name two" in lonely.stderr) == (2, True)
