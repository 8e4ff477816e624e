"""How an amount of money looks in a body: decimal US dollars, kept as nano-dollars."""

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from sluicegate.domain.money import MAXIMUM_DOLLARS, dollars, nano_dollars


def _read(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be an amount of dollars, as a number or a string")
    return nano_dollars(value)


DOLLARS: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": MAXIMUM_DOLLARS, "multipleOf": 1e-9},
        {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,9})?$"},
    ],
    "examples": [100, "12.50"],
}
"""The form of an amount, for OpenAPI."""

Usd = Annotated[int, BeforeValidator(_read), WithJsonSchema(DOLLARS)]
"""An amount that is sent to us, as nano-dollars once it is read."""


def shown_dollars(nano: int | None) -> float | None:
    """An amount as a number."""
    return None if nano is None else dollars(nano)
