"""Projects as the audit log keeps them."""

from sluicegate.control.tenants.projects import described
from sluicegate.domain.tenants import Project


def test_project_is_described_as_it_is_shown() -> None:
    """Everything that can be set is there, under the name that the API has for it."""
    project = Project(id="prj_1", organization_id="org_1", name="n", metadata={"a": 1}, created_at=0, updated_at=0)
    assert described(project) == {
        "project_id": "prj_1",
        "organization_id": "org_1",
        "name": "n",
        "description": "",
        "status": "active",
        "metadata": {"a": 1},
        "model": None,
        "body_share": 0.0,
        "body_bytes": 16_384,
    }
