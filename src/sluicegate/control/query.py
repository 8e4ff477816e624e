"""Which names a query may have. One that is not known would be passed over, and a list tell of everybody."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from http import HTTPStatus

from fastapi.dependencies.models import Dependant

from sluicegate.control.problems import ProblemError


def known_names(dependant: Dependant) -> frozenset[str]:
    """Those that an endpoint reads, itself or by what it depends on."""
    own = (field.alias for field in dependant.query_params)
    return frozenset(own).union(*map(known_names, dependant.dependencies))


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Raise ProblemError 422 where a name is not known, with all of them and what may have been meant."""
    errors = [
        {"path": f"query.{name}", "message": _words(name, known)} for name in sorted(set(given)) if name not in known
    ]
    if errors:
        detail = "The query has parameters that this path does not know."
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def _words(name: str, known: Collection[str]) -> str:
    meant = get_close_matches(name, known, n=1)
    if meant:
        return f"is no parameter here (did you mean {meant[0]}?)"
    return f"is no parameter here; these are: {', '.join(sorted(known))}" if known else "is no parameter here"
