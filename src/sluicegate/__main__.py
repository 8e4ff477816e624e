"""`python -m sluicegate`, the same as the command `sluicegate`."""

from sluicegate.cli.main import main

if __name__ == "__main__":
    main()
