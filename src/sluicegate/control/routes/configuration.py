"""The configuration in force, and loading it again."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import msgspec

from sluicegate.config.problem import ConfigurationError
from sluicegate.config.show import redacted
from sluicegate.control.context import Context, Reached
from sluicegate.control.problems import ProblemError


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
