"""Importing many users: all of them or none, or each for itself."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants import user_import, users
from sluicegate.control.tenants.user_import import Faulty, Made, Row, Rows, import_all, import_each
from tests.control.actors import OWN, ROOT, actions, entries
from tests.control.api import Api


def row(line: int, email: str, organization_id: str | None = "org_own") -> Row:
    """A row."""
    return Row(line, organization_id, {"email": email})


def source(*rows: Row | Faulty) -> Callable[[], Rows]:
    """A file of rows."""
    return lambda: iter(rows)


def addresses(api: Api, organization_id: str = "org_own") -> set[str]:
    """Who is there."""
    found = users.search(api.tenancy, ROOT, after=None, limit=200, organization_id=organization_id)
    return {user.email for user in api.run(found)}


def errors(api: Api, rows: Callable[[], Rows], **options: Any) -> list[dict[str, Any]]:
    """What is told of an import of all that is refused."""
    with pytest.raises(ProblemError) as caught:
        api.run(import_all(api.tenancy, options.pop("actor", ROOT), rows, organization_id=None, **options))
    assert caught.value.status == 422
    return caught.value.errors


def each(api: Api, rows: Callable[[], Rows]) -> tuple[list[tuple[int, bool]], tuple[int, int]]:
    """What is reported of rows that are each for themselves, and counted."""
    report: list[Made | Faulty] = []
    counts = api.run(import_each(api.tenancy, ROOT, rows(), organization_id=None, report=report.append))
    return [(one.line, isinstance(one, Made)) for one in report], (counts.created, counts.refused)


def test_each_user_is_in_the_audit_log(api: Api) -> None:
    """Every imported user has an entry of their own, as though made by hand."""
    api.world()
    assert api.run(
        import_all(api.tenancy, OWN, source(row(1, "a@x.org"), row(2, "b@x.org", None)), organization_id=None)
    )
    told = entries(api)
    assert [entry.action for entry in told] == ["user.create"] * 2
    assert [entry.after and entry.after["email"] for entry in told] == ["a@x.org", "b@x.org"]
    assert {(entry.actor, entry.organization_id, entry.request_id) for entry in told} == {
        ("adm_own", "org_own", "req_test")
    }


def test_all_or_nothing_over_several_batches(api: Api) -> None:
    """Where the last row of many batches cannot be, none of them is."""
    api.world()
    many = [row(line, f"{line}@x.org") for line in range(1, 2 * user_import.BATCH)]
    (error,) = errors(api, source(*many, row(5000, "own@example.com")))
    assert error == {"line": 5000, "path": "email", "message": "somebody has this address already"}
    assert addresses(api) == {"own@example.com"}
    assert actions(api) == []
    assert api.run(import_all(api.tenancy, ROOT, source(*many), organization_id=None)) == len(many)


def test_address_twice_in_a_file(api: Api) -> None:
    """The same address twice is refused in one organisation, and fine in two."""
    api.world()
    (error,) = errors(api, source(row(2, "a@x.org"), row(3, "b@x.org"), row(4, "a@x.org")))
    assert error == {"line": 4, "path": "email", "message": "somebody has this address already"}
    assert api.run(
        import_all(api.tenancy, ROOT, source(row(2, "a@x.org"), row(3, "a@x.org", "org_foreign")), organization_id=None)
    )


def test_organization_must_be_visible(api: Api) -> None:
    """A row for an organisation that is unknown or foreign is a fault like any other."""
    api.world()
    (error,) = errors(api, source(row(1, "a@x.org"), row(2, "b@x.org", "org_foreign")), actor=OWN)
    assert error == {"line": 2, "path": "org_id", "message": "There is no organization 'org_foreign'."}


def test_only_some_errors_are_told(api: Api) -> None:
    """A hopeless file is not read to its end."""
    taken = []

    def rows() -> Rows:
        for line in range(10_000):
            taken.append(line)
            yield Faulty(line, [{"path": "email", "message": "is none"}])

    assert len(errors(api, rows)) == user_import.MOST_ERRORS
    assert len(taken) == user_import.MOST_ERRORS


def test_too_many_at_once_are_refused(api: Api) -> None:
    """Beyond a bound nobody else could write for too long: all or nothing is refused, with what to do."""

    def rows() -> Rows:
        return (row(line, f"{line}@x.org", "org_default") for line in range(1, 10**9))

    (error,) = errors(api, rows)
    assert error["line"] == user_import.MOST_AT_ONCE + 1
    assert "use mode=rows" in error["message"]


def test_faults_do_not_stop_others(api: Api) -> None:
    """Rows each for themselves: whoever can be made is, over batches, and the report is in the order of the rows."""
    api.world()
    many: list[Row | Faulty] = [row(line, f"{line}@x.org") for line in range(1, user_import.BATCH + 10)]
    many[3] = Faulty(4, [{"path": "", "message": "is nothing"}])
    many[5] = row(6, "own@example.com")
    many[-1] = row(len(many), "z@x.org", "org_unknown")
    report, counts = each(api, source(*many))
    assert report == [(line, line not in {4, 6, len(many)}) for line in range(1, len(many) + 1)]
    assert counts == (len(many) - 3, 3)
    assert len(actions(api)) == len(many) - 3


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", "own", "?"]), st.sampled_from(["org_own", "org_foreign", "org_none"])
    ),
    max_size=6,
)


@given(file=ROWS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_all_is_each_or_nothing(file: list[tuple[str, str]], api: Api) -> None:
    """All or nothing makes everybody exactly where each for itself would refuse nobody, and else changes nothing."""
    if api.ask("GET", "/admin/organizations/org_own").status == 404:
        api.world()
    rows: list[Row | Faulty] = [
        Faulty(line, [{"path": "email", "message": "is none"}])
        if name == "?"
        else row(line, f"{name}@example.com", organization_id)
        for line, (name, organization_id) in enumerate(file, 1)
    ]

    def everybody() -> set[tuple[str, str]]:
        return {(one, address) for one in ("org_own", "org_foreign") for address in addresses(api, one)}

    def reset() -> None:
        for organization_id in ("org_own", "org_foreign"):
            work = users.search(api.tenancy, ROOT, after=None, limit=200, organization_id=organization_id)
            for user in api.run(work):
                if user.id not in {"usr_own", "usr_foreign"}:
                    api.run(users.delete(api.tenancy, ROOT, user.id, check=lambda version: None))

    before = everybody()
    report, (created, refused) = each(api, source(*rows))
    after = everybody()
    assert [line for line, _ in report] == list(range(1, len(rows) + 1))
    assert len(after - before) == created == len(rows) - refused
    reset()
    assert everybody() == before
    if refused:
        assert errors(api, source(*rows))
        assert everybody() == before
    else:
        assert api.run(import_all(api.tenancy, ROOT, source(*rows), organization_id=None)) == len(rows)
        assert everybody() == after
    reset()
