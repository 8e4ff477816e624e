"""What goes wrong, in words and in an exit status."""

import pytest

from sluicegate.cli.manage.failure import of_answer, printable

PROBLEM = {"detail": "No such thing.", "request_id": "r1", "errors": []}


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [
        (400, 2),
        (422, 2),
        (413, 2),
        (404, 3),
        (401, 4),
        (403, 4),
        (502, 5),
        (503, 5),
        (504, 5),
        (409, 6),
        (412, 6),
        (500, 1),
        (429, 1),
        (418, 1),
    ],
)
def test_status_decides_the_exit_status(status: int, exit_status: int) -> None:
    """Scripts can tell apart what they would treat differently."""
    assert of_answer(status, PROBLEM, "here").exit_status == exit_status


def test_detail_and_each_fault() -> None:
    """The detail comes first, then each error with its path."""
    errors = [{"path": "body.name", "message": "Field required"}, {"message": "odd"}, "bare"]
    error = of_answer(422, PROBLEM | {"errors": errors}, "here")
    assert str(error) == "No such thing.\n  body.name: Field required\n  odd\n  bare"


def test_problems_of_a_configuration_are_told_as_by_its_check() -> None:
    """File, line and what may have been meant are in the answer, and so in what is printed."""
    problem = {"file": "a.yaml", "line": 3, "path": "sever", "message": "is no setting", "suggestion": "server"}
    elsewhere = {"file": "environment", "line": None, "path": "PORT", "message": "must be at most 65535"}
    text = str(of_answer(422, PROBLEM | {"errors": [problem, elsewhere | {"suggestion": None}]}, "here"))
    assert text.splitlines()[1:] == [
        "  a.yaml:3: sever: is no setting (did you mean server?)",
        "  environment: PORT: must be at most 65535",
    ]


def test_defects_lead_to_the_log() -> None:
    """Where the gateway is at fault, the request's id is told."""
    assert str(of_answer(500, PROBLEM, "here")) == "No such thing.\nrequest id: r1"


@pytest.mark.parametrize("body", [None, [], {"detail": 5}, {"error": "x"}])
def test_somebody_else_answers(body: object) -> None:
    """A body that no gateway sends names the address and the status."""
    assert str(of_answer(404, body, "http://there/admin")).startswith("http://there/admin: 404")


def test_worker_answers() -> None:
    """The words of a worker that cannot reach the process that manages are told."""
    error = of_answer(502, {"error": {"message": "nobody there"}, "request_id": "r"}, "here")
    assert (str(error), error.exit_status) == ("nobody there", 5)


def test_faults_that_are_no_list() -> None:
    """Nonsense in place of the errors is left out."""
    assert str(of_answer(422, {"detail": "No.", "errors": "x"}, "here")) == "No."


def test_terminal_is_not_steered() -> None:
    """Escapes in a text of somebody else do not reach the terminal."""
    assert printable("a\x1b[31mb\x9bc\u202ed") == "a\ufffd[31mb\ufffdc\ufffdd"
    assert str(of_answer(404, {"detail": "\x1b]0;x\x07"}, "here")) == "\ufffd]0;x\ufffd"
