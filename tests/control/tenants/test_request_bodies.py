"""Who may see which bodies, and that it is known who did."""

import pytest

from sluicegate.control.problems import ProblemError
from sluicegate.control.tenants.request_bodies import look
from sluicegate.domain.request_bodies import RequestBodies
from tests.control.actors import OWN, ROOT
from tests.control.api import Api


def test_only_those_of_ones_own_organisation(api: Api) -> None:
    """Others are not there, and neither are those that are not kept."""
    row = RequestBodies("req_1", 7, "org_foreign", "prj_foreign", "{}", "", False, False)

    async def story() -> None:
        async with api.database.writing() as session:
            await session.request_bodies.add([row])
        assert await look(api.context.tenancy, ROOT, "req_1") == row
        for actor, request_id in ((OWN, "req_1"), (ROOT, "req_2")):
            with pytest.raises(ProblemError):
                await look(api.context.tenancy, actor, request_id)

    api.run(story())
