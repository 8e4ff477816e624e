"""How many files a process may have open: a stream takes two, and the usual limit of 1,024 is meant for programs of
another kind (`select` cannot count further).
"""

import resource

ENOUGH = 2 * 16_384 + 512
"""What one worker takes at its usual bounds: `server.limits.connections` clients, for each of them a connection to a
provider, and a few for itself."""


def raise_limit() -> int:
    """Raise this process's soft limit to the hard one, for itself and its children; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
