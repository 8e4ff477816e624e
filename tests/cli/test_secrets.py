"""`sluicegate secrets` on a database with secrets in it."""

import asyncio
import re
import secrets
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sluicegate.cli.secrets import app
from sluicegate.control.secrets.master_key import MasterKeyFile, open_key_ring
from sluicegate.control.tenants.credentials import row_of
from sluicegate.domain.tenants import ProviderCredential
from sluicegate.store.database import Database
from sluicegate.store.upgrade import upgrade

BLANK = ProviderCredential(
    id="crd_1",
    project_id="prj_default",
    provider="openai",
    ciphertext=b"",
    key_id="",
    last_four="",
    created_at=0,
    updated_at=0,
)


def run(*arguments: str, data_dir: Path, **environment: str) -> Result:
    """Run a command on a data directory, with nothing else in the environment that has a meaning to it."""
    cleared: dict[str, str | None] = dict.fromkeys(("SLUICEGATE_CONFIG", "SLUICEGATE_MASTER_KEY", "DATA_FILE"))
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(data_dir)], env=cleared | environment)


async def _fill(data_dir: Path) -> str:
    await upgrade("sqlite", data_dir)
    ring = open_key_ring(None, data_dir, has_ciphertext=False, random=secrets.token_bytes, now=1_800_000_000.0)
    ciphertext, key_id = ring.seal(b"sk-hunter2", row_of(BLANK))
    database = await Database.open("sqlite", data_dir)
    async with database.writing() as session:
        await session.credentials.add(
            ProviderCredential(
                id=BLANK.id,
                project_id=BLANK.project_id,
                provider=BLANK.provider,
                ciphertext=ciphertext,
                key_id=key_id,
                last_four="",
                created_at=0,
                updated_at=0,
            )
        )
    await database.close()
    return key_id


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A data directory with one secret, and the id of its key."""
    monkeypatch.chdir(tmp_path)
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    return data_dir, asyncio.run(_fill(data_dir))


def test_from_the_old_key_to_a_new_one(filled: tuple[Path, str]) -> None:
    """Status, rotation, status, and forgetting the old key; nothing that is printed is a key."""
    data_dir, old = filled
    shown = run("status", data_dir=data_dir)
    assert (shown.exit_code, shown.stdout.splitlines()) == (
        0,
        [f"keys in {data_dir}/master.key: 1", f"{old}  seals, in use, since 2027-01-15T08:00:00Z"],
    )
    rotated = run("rotate", data_dir=data_dir)
    found = re.fullmatch(r"sealed with the key ([0-9a-f]{8}): 1 secrets\n", rotated.stdout)
    assert (rotated.exit_code, found is not None) == (0, True)
    lines = run("status", data_dir=data_dir).stdout.splitlines()
    assert lines[0].endswith(": 2")
    assert "seals, in use" in lines[1]
    assert lines[2] == f"{old}  not used any more, since 2027-01-15T08:00:00Z"
    assert run("forget", data_dir=data_dir).exit_code == 2
    assert run("forget", "--now", data_dir=data_dir).stdout == f"forgotten: {old}\n"
    assert run("forget", "--now", data_dir=data_dir).stdout == "forgotten: none\n"
    for key in MasterKeyFile(data_dir, random=secrets.token_bytes).read():
        assert key.secret.hex() not in shown.output + rotated.output + "".join(lines)


def test_a_key_that_is_needed_and_missing(filled: tuple[Path, str]) -> None:
    """Status 1 and its id; the rotation leaves what it cannot read, and says so."""
    data_dir, old = filled
    other = "0f1e" * 16
    shown = run("status", data_dir=data_dir, SLUICEGATE_MASTER_KEY=other)
    assert shown.exit_code == 1
    assert f"{old}  is needed and missing" in shown.stdout
    rotated = run("rotate", data_dir=data_dir, SLUICEGATE_MASTER_KEY=other)
    assert rotated.exit_code == 1
    assert "0 secrets" in rotated.stdout
    assert f"left as it is: the secret of {row_of(BLANK)} was sealed with the master key {old}" in rotated.stderr
    assert "hunter2" not in rotated.output


@pytest.mark.parametrize("command", ["status", "rotate"])
def test_a_file_that_others_can_read(filled: tuple[Path, str], command: str) -> None:
    """Status 2 and what to do about it, in one line."""
    data_dir, _ = filled
    (data_dir / "master.key").chmod(0o644)
    refused = run(command, data_dir=data_dir)
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "chmod 600" in refused.stderr


@pytest.mark.parametrize("command", ["status", "rotate", "forget"])
def test_a_configuration_that_cannot_be_used(filled: tuple[Path, str], command: str) -> None:
    """Status 2 and what is wrong; the key that was meant is not repeated."""
    data_dir, _ = filled
    refused = run(command, data_dir=data_dir, SLUICEGATE_MASTER_KEY="hunter2")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("environment: SLUICEGATE_MASTER_KEY: must be 32 bytes")
    assert "hunter2" not in refused.stderr


def test_where_there_is_no_database(tmp_path: Path) -> None:
    """Status 2; none is made, which would hide a wrong path."""
    refused = run("rotate", data_dir=tmp_path / "wrong")
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert not (tmp_path / "wrong").exists()
