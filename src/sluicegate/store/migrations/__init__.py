"""From one version of the tables to the next: alembic runs `env.py` and the files in `versions`."""
