"""Where master keys come from: the setting, or a file made once, kept from others, never made up in place of one."""

import itertools
import os
import secrets
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sluicegate.control.secrets.key_ring import KeyRing, UnknownKeyError, key_id_of
from sluicegate.control.secrets.master_key import MasterKey, MasterKeyError, MasterKeyFile, open_key_ring

NOW = 1_800_000_000.0
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
Open = Callable[..., KeyRing]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory that is not there yet."""
    return tmp_path / "new" / "data"


@pytest.fixture
def file(data_dir: Path) -> MasterKeyFile:
    """The file in it, which gives new keys in a known order."""
    numbers = itertools.count(1)
    return MasterKeyFile(data_dir, random=lambda size: bytes(range(next(numbers), 33))[:size].ljust(size, b"x"))


def opened(
    data_dir: Path, *, setting: str | None = None, has_ciphertext: bool = False, used: tuple[str, ...] = ()
) -> KeyRing:
    """Open the ring as a start does."""
    return open_key_ring(
        setting, data_dir, has_ciphertext=has_ciphertext, used=used, random=secrets.token_bytes, now=NOW
    )


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_makes_a_key(data_dir: Path) -> None:
    """A file for its owner only, in a directory for its owner only; later starts read the same key."""
    ring = opened(data_dir)
    path = data_dir / "master.key"
    assert (mode(path), mode(data_dir)) == (0o600, 0o700)
    assert path.read_text().endswith(f"  # {ring.key_id} since 2027-01-15T08:00:00Z\n")
    assert [*data_dir.iterdir()] == [path]
    ciphertext, _ = ring.seal(b"sk-secret", "row")
    assert opened(data_dir, has_ciphertext=True, used=(ring.key_id,)).open(ciphertext, "row") == b"sk-secret"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_mode_does_not_depend_on_the_umask(data_dir: Path, umask: int) -> None:
    """Others can never read a key, not even between its creation and anything after."""
    before = os.umask(umask & ~0o700)
    try:
        opened(data_dir)
    finally:
        os.umask(before)
    assert (mode(data_dir / "master.key"), mode(data_dir)) == (0o600, 0o700)


def test_a_directory_that_others_may_write_to_is_closed(data_dir: Path) -> None:
    """They could put a key of their own in its place."""
    data_dir.mkdir(parents=True)
    data_dir.chmod(0o777)
    opened(data_dir)
    assert mode(data_dir) == 0o755


def together(work: Callable[[], object]) -> None:
    """Do it in four threads at the same moment."""
    barrier = threading.Barrier(4)
    errors: list[BaseException] = []

    def run() -> None:
        barrier.wait()
        try:
            work()
        except MasterKeyError as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_first_starts_at_the_same_moment_agree_on_one_key(data_dir: Path) -> None:
    """Whoever comes second takes the first one's key."""
    found: list[str] = []
    together(lambda: found.append(opened(data_dir).key_id))
    assert len(found) == 4
    assert len(set(found)) == 1


def test_what_a_crash_left_behind_is_no_key(data_dir: Path) -> None:
    """A file that never got its name is not taken for the key, and is gone with the next one that is written."""
    data_dir.mkdir(parents=True)
    (data_dir / ".master.key.new").write_text(KEY.hex()[:10])
    assert opened(data_dir).key_id != key_id_of(KEY)
    assert [path.name for path in data_dir.iterdir()] == ["master.key"]


def test_a_missing_key_is_not_made_up(data_dir: Path) -> None:
    """While there are secrets, the start is refused and says what to put back; nothing is written."""
    message = r"put back .*/master\.key from a backup, or set SLUICEGATE_MASTER_KEY"
    with pytest.raises(MasterKeyError, match=message):
        opened(data_dir, has_ciphertext=True)
    with pytest.raises(MasterKeyError, match=message):
        opened(data_dir, used=("0123abcd",))
    assert not data_dir.exists()


def test_another_key_than_the_needed_one_is_refused(data_dir: Path) -> None:
    """In the file as in the setting; the key that is lacking is named."""
    with pytest.raises(MasterKeyError, match=r"the master key 0123abcd, which the setting master_key does not hold"):
        opened(data_dir, setting=KEY.hex(), has_ciphertext=True, used=("0123abcd", key_id_of(KEY)))
    opened(data_dir)
    with pytest.raises(MasterKeyError, match=r"the master key 0123abcd, which .*/master\.key does not hold"):
        opened(data_dir, used=("0123abcd",))


def test_the_setting_takes_the_place_of_the_file(data_dir: Path) -> None:
    """No file is made; of several keys the first seals."""
    ring = opened(data_dir, setting=f"{KEY.hex()},{OTHER.hex()}", has_ciphertext=True)
    assert ring.key_ids == (key_id_of(KEY), key_id_of(OTHER))
    assert ring.seal(b"x", "row")[1] == key_id_of(KEY)
    assert not data_dir.exists()


@pytest.mark.parametrize("wrong", [0o640, 0o604, 0o644, 0o660, 0o777])
def test_a_file_that_others_can_read_is_refused(data_dir: Path, wrong: int) -> None:
    """With the mode, and the command that mends it."""
    opened(data_dir)
    (data_dir / "master.key").chmod(wrong)
    with pytest.raises(MasterKeyError, match=rf"has the mode {wrong:04o}; .*chmod 600"):
        opened(data_dir)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("# a comment alone\n", "is empty"),
        ("hunter2\n", "must be 32 bytes"),
        (KEY.hex() + "\nhunter2\n", "key 2 of 2 must be 32 bytes"),
        ("\0" * 64, "must be 32 bytes"),
    ],
)
def test_a_damaged_file_is_refused(data_dir: Path, content: str, message: str) -> None:
    """And left as it is, for somebody to mend; nothing of its content is told."""
    opened(data_dir)
    path = data_dir / "master.key"
    path.write_text(content)
    with pytest.raises(MasterKeyError, match=message) as caught:
        opened(data_dir)
    assert path.read_text() == content
    assert "hunter2" not in str(caught.value)
    assert KEY.hex()[:8] not in str(caught.value)


def test_what_is_no_file_is_refused(data_dir: Path) -> None:
    """A directory of that name is told, not read; so is a loop of links."""
    (data_dir / "master.key").mkdir(parents=True)
    with pytest.raises(MasterKeyError, match="is no file"):
        opened(data_dir)
    (data_dir / "master.key").rmdir()
    (data_dir / "master.key").symlink_to("master.key")
    with pytest.raises(MasterKeyError, match="cannot be read"):
        opened(data_dir)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in the place of the data directory is told by its name."""
    (tmp_path / "data").write_text("")
    with pytest.raises(MasterKeyError, match=r"master\.key"):
        opened(tmp_path / "data")
    with pytest.raises(MasterKeyError, match=r"cannot be written to .*/data/master\.key"):
        MasterKeyFile(tmp_path / "data", random=secrets.token_bytes).begin(NOW)


def test_a_key_written_by_hand_will_do(data_dir: Path, file: MasterKeyFile) -> None:
    """Base64 or hexadecimal, with a comment or without; when it began to seal is then not known."""
    data_dir.mkdir(parents=True)
    file.path.touch(0o600)
    file.path.write_text(f"{KEY.hex()}\n\n{OTHER.hex()} # since yesterday\n")
    assert file.read() == (MasterKey(KEY, None), MasterKey(OTHER, None))


def test_a_new_key_comes_first_and_the_old_ones_stay(file: MasterKeyFile) -> None:
    """What is still sealed with an older key can be opened until it is sealed anew; the file stays its owner's."""
    (first,) = file.begin(NOW)
    second, old = file.add(NOW + 1)
    assert old == first
    assert second.since == NOW + 1
    assert [key.id for key in file.add(NOW + 2)][1:] == [second.id, first.id]
    assert mode(file.path) == 0o600
    assert len([*file.path.parent.iterdir()]) == 1


def test_only_keys_in_use_are_kept(file: MasterKeyFile) -> None:
    """The first key stays though nothing is sealed with it yet; a key without the moment it came stays without."""
    file.begin(NOW)
    file.add(NOW + 1)
    third, second, first = file.add(NOW + 2)
    assert file.keep({first.id}) == (third, first)
    assert file.keep(set()) == (third,)
    assert second.id not in file.path.read_text()
    file.path.write_text(f"{KEY.hex()}\n{OTHER.hex()}\n")
    assert file.keep(set()) == (MasterKey(KEY, None),)
    assert file.path.read_text() == f"{KEY.hex()}\n"


def test_two_who_add_a_key_lose_none(data_dir: Path) -> None:
    """Each reads what the other has written."""
    opened(data_dir)
    found: list[MasterKey] = []
    together(lambda: found.append(MasterKeyFile(data_dir, random=secrets.token_bytes).add(NOW)[0]))
    assert {key.id for key in found} < {key.id for key in MasterKeyFile(data_dir, random=secrets.token_bytes).read()}
    assert len({key.id for key in found}) == 4


def test_a_key_cannot_be_added_where_there_is_no_directory(file: MasterKeyFile) -> None:
    """It is told, and nothing is made."""
    with pytest.raises(MasterKeyError, match="there is no directory"):
        file.add(NOW)


def test_a_running_gateway_follows_the_file(data_dir: Path) -> None:
    """A key that another process adds seals from then on, and opens what that process has sealed."""
    serving = opened(data_dir)
    before, _ = serving.seal(b"before", "row")
    MasterKeyFile(data_dir, random=secrets.token_bytes).add(NOW)
    other = opened(data_dir)
    after, new = other.seal(b"after", "row")
    assert serving.open(after, "row") == b"after"
    assert serving.open(before, "row") == b"before"
    assert serving.seal(b"x", "row")[1] == new


def test_a_running_gateway_seals_nothing_without_its_file(data_dir: Path) -> None:
    """A secret that nobody could open after a restart is refused at once; what is there can still be opened."""
    serving = opened(data_dir)
    before, key_id = serving.seal(b"before", "row")
    (data_dir / "master.key").unlink()
    with pytest.raises(MasterKeyError, match="is gone from"):
        serving.seal(b"x", "row")
    assert serving.open(before, "row") == b"before"
    with pytest.raises(MasterKeyError, match="put back"):
        opened(data_dir, has_ciphertext=True)
    with pytest.raises(UnknownKeyError, match=key_id):
        opened(data_dir).open(before, "row")


def test_keys_are_never_shown(data_dir: Path, file: MasterKeyFile) -> None:
    """Neither a key, nor its file, nor the ring made of it tells more than ids and places."""
    keys = file.begin(NOW)
    told = f"{keys} {keys[0]} {file} {opened(data_dir)!r} {opened(data_dir, setting=KEY.hex())!r}"
    assert keys[0].id in told
    for hidden in (keys[0].secret, KEY):
        assert hidden.hex() not in told
        assert repr(hidden)[2:-1] not in told
