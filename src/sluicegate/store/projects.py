"""Projects."""

from sluicegate.domain.tenants import Project
from sluicegate.store.owners import Owners
from sluicegate.store.schema import projects


class Projects(Owners[Project]):
    """To delete one deletes its tokens and credentials."""

    table = projects
    record = Project
    owner_field = "project_id"
    searched = ("name", "description")
    filters = frozenset({"organization_id", "status"})
    packed = frozenset({"metadata"})
