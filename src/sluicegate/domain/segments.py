"""How a journal's segment files are named, so that their names sort the way they were written.

`000-0193a5b0c0de1f2e3d4c-00000001.jsonl`: the worker's index, the id of this start of the worker, the segment's number.
The first two are an incarnation: one run of one worker. A restarted worker is a new incarnation and never appends to an
old file. The control process writes too, but seldom: its segments have `control` in place of an index.
"""

import re

_NAME = re.compile(r"((?:\d{3,}|control)-[0-9a-z]+)-(\d{8,})\.jsonl")
_BOOT_ID = re.compile(r"[0-9a-z]+")


def boot_id(milliseconds: int, salt: int) -> str:
    """Name one start of a worker: 12 hex digits of Unix milliseconds, 8 of `salt`, which is 32 random bits."""
    return f"{milliseconds:012x}{salt & 0xFFFFFFFF:08x}"


def incarnation_name(worker: int, boot: str) -> str:
    """Name one run of one worker. Raises ValueError where `boot` could not be read back from a file's name."""
    if worker < 0 or not _BOOT_ID.fullmatch(boot):
        raise ValueError(f"no name for worker {worker!r} started as {boot!r}: digits and small letters only")
    return f"{worker:03d}-{boot}"


def control_incarnation_name(boot: str) -> str:
    """Name one run of the control process. Raises ValueError where `boot` could not be read back from a file's name."""
    if not _BOOT_ID.fullmatch(boot):
        raise ValueError(f"no name for a start {boot!r}: digits and small letters only")
    return f"control-{boot}"


def segment_name(incarnation: str, number: int) -> str:
    """Name the file of an incarnation's segment `number`; the first is 1."""
    return f"{incarnation}-{number:08d}.jsonl"


def unfinished_name(incarnation: str, number: int) -> str:
    """Name the file that will be segment `number` once it is locked."""
    return f".{segment_name(incarnation, number)}"


def parsed_segment_name(name: str) -> tuple[str, int] | None:
    """Return the incarnation and number in a file's name, or None where it is not a segment's."""
    match = _NAME.fullmatch(name)
    return (match[1], int(match[2])) if match else None
