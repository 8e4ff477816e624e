"""`python -m sluicegate.gateway`: one worker, as the supervisor starts it."""

import sys

from sluicegate.gateway.worker import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
