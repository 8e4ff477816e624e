"""Where the master keys come from: the setting `master_key`, else DATA_DIR/master.key, which is made if need be.

Rule 1. The file is for its owner only (0600); one that others can read is refused, as its key is no secret any more.
Rule 2. A key is never made up while there are secrets that another one has sealed: that would hide its loss.
Rule 3. The file is never half written: a new one is complete, and on the disk, before it has its name.

The file holds one key a line, the one that seals first; what stands behind `#` says when it came to be.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from sluicegate.config.master_keys import KEY_BYTES, parse_master_keys
from sluicegate.control.secrets.key_ring import KeyRing, SealError, key_id_of

FILE_NAME = "master.key"
"""In the data directory."""
VARIABLE = "SLUICEGATE_MASTER_KEY"

_LARGEST = 65_536
"""Bytes: some hundreds of keys. What is larger is another file."""
_SINCE = "since "


class MasterKeyError(SealError):
    """There is no key to seal with, or not the right one; says what to do, and holds nothing of a key."""


class MasterKey(Struct, frozen=True):
    """One key. `since` is when it began to seal, in Unix seconds; None where that is not known."""

    secret: bytes
    since: float | None = None

    def __repr__(self) -> str:
        """Tell its id."""
        return f"<MasterKey {self.id}>"

    @property
    def id(self) -> str:
        """8 hexadecimal digits."""
        return key_id_of(self.secret)


class MasterKeyFile:
    """DATA_DIR/master.key."""

    def __init__(self, data_dir: Path, *, random: Callable[[int], bytes]) -> None:
        """`random` gives bytes fit for secrets. Nothing is touched yet."""
        self.path = data_dir / FILE_NAME
        self._random = random
        self._seen: tuple[int, int, int] | None = None

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<MasterKeyFile {self.path}>"

    def read(self) -> tuple[MasterKey, ...]:
        """The keys in it, the one that seals first; none where there is no file. Raises MasterKeyError."""
        try:
            # A pipe of that name would else be waited for.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise MasterKeyError(f"the master key cannot be read from {self.path}: {error.strerror}") from None
        try:
            status = os.fstat(descriptor)
            self._check(status)
            content = os.read(descriptor, _LARGEST)
        finally:
            os.close(descriptor)
        self._seen = _fingerprint(status)
        return self._parsed(content)

    def changed(self) -> tuple[bytes, ...] | None:
        """The keys, where the file is another one than was last read; else None. Raises MasterKeyError."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise MasterKeyError(f"the master key is gone from {self.path}: {error.strerror}") from None
        if _fingerprint(status) == self._seen:
            return None
        return tuple(key.secret for key in self.read())

    def begin(self, now: float) -> tuple[MasterKey, ...]:
        """Make the file with a first key, unless somebody was faster. `now` is in Unix seconds.

        Raises MasterKeyError.
        """
        try:
            # Parents that `mkdir` makes on the way get the usual mode; the key is nobody else's.
            self.path.parent.parent.mkdir(parents=True, exist_ok=True)
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            _keep_others_out(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from None
        with self._locked():
            if not self.path.exists():
                self._write((MasterKey(self._random(KEY_BYTES), now),))
            return self.read()

    def add(self, now: float) -> tuple[MasterKey, ...]:
        """Put a new key before the others, which stay: secrets are still sealed with them. `now` is in Unix seconds.

        Raises MasterKeyError.
        """
        with self._locked():
            self._write((MasterKey(self._random(KEY_BYTES), now), *self.read()))
            return self.read()

    def keep(self, key_ids: Collection[str]) -> tuple[MasterKey, ...]:
        """Keep only these keys, and the first. Raises MasterKeyError."""
        with self._locked():
            first, *others = self.read()
            self._write((first, *(key for key in others if key.id in key_ids)))
            return self.read()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile: two who do would each leave out the other's key."""
        try:
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise MasterKeyError(f"there is no directory {self.path.parent}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise MasterKeyError(f"{self.path} is no file, so no master key can be read from it")
        if status.st_mode & 0o077:
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            raise MasterKeyError(
                f"others may read the master key: {self.path} has the mode {mode}; if nobody has, run"
                f" `chmod 600 {self.path}`, else run `sluicegate secrets rotate` after it"
            )

    def _parsed(self, content: bytes) -> tuple[MasterKey, ...]:
        lines = [line.partition("#") for line in content.decode("utf-8", "replace").splitlines()]
        try:
            secrets = parse_master_keys("\n".join(text for text, _, _ in lines))
            found = [(parse_master_keys(text), _moment(comment)) for text, _, comment in lines if text.strip()]
        except ValueError as error:
            raise MasterKeyError(f"{self.path}: {error}; put back the file as it was") from None
        since = {secret: moment for line_keys, moment in found for secret in line_keys}
        return tuple(MasterKey(secret, since[secret]) for secret in secrets)

    def _write(self, keys: Sequence[MasterKey]) -> None:
        text = "".join(f"{key.secret.hex()}{_comment(key)}\n" for key in keys)
        new = self.path.with_name(f".{FILE_NAME}.new")
        try:
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                # Whatever the umask says: it could take the owner's own permission away.
                os.fchmod(descriptor, 0o600)
                self._hand_over(descriptor)
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            new.replace(self.path)
            _sync(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from None

    def _hand_over(self, descriptor: int) -> None:
        """Leave the file to whom it belonged: an administrator may rotate the key of a gateway that is not theirs."""
        with suppress(FileNotFoundError):
            status = self.path.stat()
            os.fchown(descriptor, status.st_uid, status.st_gid)

    def _unwritable(self, error: OSError) -> MasterKeyError:
        return MasterKeyError(f"the master key cannot be written to {self.path}: {error.strerror}")


def open_key_ring(
    setting: str | None,
    data_dir: Path,
    *,
    has_ciphertext: bool,
    used: Collection[str] = (),
    random: Callable[[int], bytes],
    now: float,
) -> KeyRing:
    """The keys to run on. `setting` is that of the configuration; `now` is in Unix seconds.

    `has_ciphertext` tells whether the database holds any sealed secret, `used` the ids of the keys that sealed them, as
    far as they are known. Raises MasterKeyError where a key that is needed is not there: the gateway must not start.
    """
    if setting is not None:
        keys = parse_master_keys(setting)
        _check_used(keys, used, "the setting master_key")
        return KeyRing(keys, random=random)
    file = MasterKeyFile(data_dir, random=random)
    found = file.read()
    if not found:
        if has_ciphertext or used:
            raise MasterKeyError(
                f"the database holds encrypted secrets, but their master key is missing: put back {file.path} from a"
                f" backup, or set {VARIABLE} to the key; without it, provider keys must be deleted and entered again"
            )
        found = file.begin(now)
    keys = tuple(key.secret for key in found)
    _check_used(keys, used, str(file.path))
    return KeyRing(keys, random=random, refresh=file.changed)


def _check_used(keys: Sequence[bytes], used: Collection[str], where: str) -> None:
    lacking = sorted(set(used) - {key_id_of(key) for key in keys})
    if lacking:
        raise MasterKeyError(
            f"the database holds secrets sealed with the master key {', '.join(lacking)}, which {where} does not hold:"
            " put it back, behind the newer ones"
        )


def _fingerprint(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _comment(key: MasterKey) -> str:
    if key.since is None:
        return ""
    moment = datetime.fromtimestamp(key.since, UTC).replace(tzinfo=None)
    return f"  # {key.id} {_SINCE}{moment.isoformat(timespec='seconds')}Z"


def _moment(comment: str) -> float | None:
    _, found, text = comment.partition(_SINCE)
    try:
        return datetime.fromisoformat(text.strip()).timestamp() if found else None
    except ValueError:
        return None


def _keep_others_out(directory: Path) -> None:
    """Whoever may write to the directory may put a key of their own in the place of ours."""
    status = directory.stat()
    if status.st_mode & 0o022 and status.st_uid == os.geteuid():
        directory.chmod(stat.S_IMODE(status.st_mode) & ~0o022)


def _sync(directory: Path) -> None:
    """Make a new name in `directory` outlive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
