"""What a use case says when it refuses."""

from http import HTTPStatus

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from sluicegate.control.problems import ProblemError, faults, invalid


def test_problem_carries_what_is_shown() -> None:
    """Status, words, and each fault; as an exception it says the words."""
    problem = ProblemError(HTTPStatus.CONFLICT, "It is taken.", errors=[{"path": "name"}], headers={"x-hint": "a"})
    assert (problem.status, problem.errors, problem.headers) == (409, [{"path": "name"}], {"x-hint": "a"})
    assert str(problem) == problem.detail == "It is taken."


def test_one_field_is_invalid() -> None:
    """It is named twice: in the sentence, and as the place of the fault."""
    problem = invalid("name", "must not be empty")
    assert (problem.status, problem.detail) == (422, "name must not be empty.")
    assert problem.errors == [{"path": "body.name", "message": "must not be empty"}]


class Asked(BaseModel, extra="forbid"):
    """A body."""

    name: str
    secret: SecretStr = Field(default=SecretStr("x" * 8), min_length=8, max_length=9)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "is required"),
        ({"name": "a", "odd": 1}, "is no field here"),
        ({"name": "a", "secret": "hunter2"}, "must not be shorter than 8"),
        ({"name": "a", "secret": "hunter2hunter2"}, "must not be longer than 9"),
        ({"name": 1}, "Input should be a valid string"),
    ],
)
def test_what_is_wrong_with_a_body_is_told_in_a_few_words(body: dict[str, object], message: str) -> None:
    """Neither what was sent is repeated, nor how long it was."""
    with pytest.raises(ValidationError) as invalid_body:
        Asked.model_validate(body)
    [fault] = faults(invalid_body.value.errors())
    assert fault["message"] == message
