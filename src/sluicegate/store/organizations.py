"""Organisations."""

from sluicegate.domain.tenants import Organization
from sluicegate.store.owners import Owners
from sluicegate.store.schema import organizations


class Organizations(Owners[Organization]):
    """To delete one deletes its projects, users, tokens, managers and their keys."""

    table = organizations
    record = Organization
    owner_field = "organization_id"
    searched = ("name",)
    filters = frozenset({"status"})
    packed = frozenset({"metadata"})
