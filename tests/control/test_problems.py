"""What a use case says when it refuses."""

from http import HTTPStatus

from sluicegate.control.problems import ProblemError, invalid


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
