"""Running migrations: the only place that loads alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from sluicegate.store import migrations
from sluicegate.store.upgrade import Direction

_PLACE = Path(migrations.__path__[0])


def run(connection: Connection, direction: Direction, target: str) -> None:
    """Bring the tables up or down to this version, in the transaction that the connection is in."""
    config = Config()
    config.set_main_option("script_location", str(_PLACE).replace("%", "%%"))
    config.attributes["connection"] = connection
    {"upgrade": command.upgrade, "downgrade": command.downgrade}[direction](config, target)
