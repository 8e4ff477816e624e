"""From which level on the control process writes log lines, seen and changed while it runs."""

from sluicegate.config.schema.logs import LogLevel
from sluicegate.control.access import Acting
from sluicegate.control.context import Reached
from sluicegate.control.logs import LIBRARIES, OWN
from sluicegate.control.problems import invalid
from sluicegate.control.routes.body import Body, Shown
from sluicegate.control.routes.route import Route


class Wanted(Body):
    """Lines from `level` on shall be written."""

    level: LogLevel
    logger: str = OWN
    """Whose lines: the gateway's own, or those of a library."""


class LevelsShown(Shown):
    """By whose lines they are, the least level that is written."""

    levels: dict[str, LogLevel]


async def show_levels(context: Reached) -> LevelsShown:
    """The levels in force."""
    return LevelsShown(levels=context.logs.levels())


async def set_level(wanted: Wanted, actor: Acting, context: Reached) -> LevelsShown:
    """Change one until the next start of the control process."""
    try:
        context.logs.set_level(wanted.level, wanted.logger)
    except KeyError:
        raise invalid("logger", f"must be one of {', '.join((OWN, *LIBRARIES))}") from None
    context.logs.logger.warning("log level changed", logger=wanted.logger, to=wanted.level, by=actor.id)
    return LevelsShown(levels=context.logs.levels())


ROUTES = (
    Route("GET", "/admin/log-level", "admin", show_levels),
    Route("PUT", "/admin/log-level", "admin", set_level),
)
