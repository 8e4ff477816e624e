"""What the store refuses, and why; drivers' own errors end here."""


class StoreError(Exception):
    """Whatever the store refuses."""


class AlreadyExistsError(StoreError):
    """Another record has this value already. `field` is the one that must be unique."""

    def __init__(self, field: str) -> None:
        super().__init__(f"there is one with this {field} already")
        self.field = field


class MissingError(StoreError):
    """The record to change, or one that it refers to, does not exist (any more)."""


class VersionConflictError(StoreError):
    """Somebody else has changed the record since it was read."""


class UnstorableError(StoreError, ValueError):
    """A value that no database can keep: a NUL or half a surrogate pair in text, text or a number beyond its bounds."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class StoreUnavailableError(StoreError, OSError):
    """The database does not answer, not in time, or not at all."""


class DatabaseUrlError(StoreError, ValueError):
    """Not an address of a database."""


class OutdatedDatabaseError(StoreError):
    """The database is of an earlier version of this program and must be upgraded first."""


class NewerDatabaseError(StoreError):
    """The database is of a later version of this program, which alone knows what is in it."""


class OldestVersionError(StoreError):
    """There is no version before this one."""


class BrokenReferencesError(StoreError):
    """A database in which records belong to something that is not there: it was damaged before."""


class DamagedError(StoreError):
    """A copy that is not a whole database of a gateway."""


class InUseError(StoreError):
    """A gateway runs on this data."""
