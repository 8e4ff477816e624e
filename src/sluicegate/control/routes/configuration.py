"""The configuration in force, and loading it again."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import msgspec

from sluicegate.config.difference import differences
from sluicegate.config.problem import ConfigurationError
from sluicegate.config.show import redacted
from sluicegate.control.context import Context, Reached
from sluicegate.control.problems import ProblemError
from sluicegate.control.routes.body import Shown


async def show_configuration(context: Reached) -> dict[str, Any]:
    """What is in force, without secrets; why a newer one was refused; what waits for a restart."""
    failure = context.configuration.failure
    error = failure and {"at": msgspec.to_builtins(failure.at), "problems": _problems(failure.error)}
    return {
        **_summary(context),
        "source": context.source,
        "last_error": error,
        "configuration": redacted(context.configuration.current),
    }


class DifferenceShown(Shown):
    """One setting that differs, as in the file; `before` and `after` are YAML without secrets, null where not set."""

    path: str
    before: str | None
    after: str | None
    is_secret: bool
    """Whether it is a secret: that it differs is all that is told."""
    needs_restart: bool
    """Whether a reload is not enough."""


class Differences(Shown):
    """What a reload would change of the version in force."""

    version: int
    changes: list[DifferenceShown]


async def show_differences(context: Reached) -> Differences:
    """What a reload would change now; nothing is changed. 422 with every problem where it would be refused."""
    try:
        new = await context.configuration.preview()
    except ConfigurationError as error:
        detail = "The configuration cannot be used; a reload would change nothing."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=_problems(error)) from None
    changes = [
        DifferenceShown(
            path=change.path,
            before=change.before,
            after=change.after,
            is_secret=change.is_secret,
            needs_restart=change.needs_restart,
        )
        for change in differences(context.configuration.current.settings, new.settings)
    ]
    return Differences(version=context.configuration.version, changes=changes)


async def reload_configuration(context: Reached) -> dict[str, Any]:
    """Load it again: 200 with the new version, or 422 with every problem, and then the old one stays."""
    try:
        await context.configuration.reload(cause="management API")
    except ConfigurationError as error:
        detail = f"The configuration cannot be used; version {context.configuration.version} stays in force."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=_problems(error)) from None
    return _summary(context)


def _summary(context: Context) -> dict[str, Any]:
    configuration = context.configuration
    return {"version": configuration.version, "waiting_for_restart": list(configuration.waiting_for_restart)}


def _problems(error: ConfigurationError) -> list[dict[str, Any]]:
    return [asdict(problem) for problem in error.problems]
