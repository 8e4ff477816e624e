"""How many files a process may have open: a stream takes two, and the usual limit of 1,024 is meant for programs of
another kind (`select` cannot count further).
"""

import resource

FEW = 4_096
"""Below this a worker has too few for a sensible load: some 2,000 streams at once are more than one core carries."""


def warning(limit: int) -> str | None:
    """What to do about this limit; None where it is enough."""
    if limit >= FEW:
        return None
    return (
        f"a worker may open only {limit:,} files, and each stream takes two: raise the hard limit to {FEW:,} or more "
        "(ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile= of docker), or lower server.limits.connections to less "
        "than half of it"
    )


def raise_limit() -> int:
    """Raise this process's soft limit to the hard one, for itself and its children; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
