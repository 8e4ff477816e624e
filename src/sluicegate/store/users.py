"""Users."""

from sqlalchemy import select

from sluicegate.domain.tenants import User
from sluicegate.store.owners import Owners
from sluicegate.store.schema import users
from sluicegate.store.values import is_storable


class Users(Owners[User]):
    """To delete one deletes the user's tokens."""

    table = users
    record = User
    owner_field = "user_id"
    searched = ("email", "name")
    filters = frozenset({"organization_id", "status", "email"})
    packed = frozenset({"metadata"})

    async def by_email(self, organization_id: str, email: str) -> User | None:
        """The one user of an organisation who has this address."""
        if not (is_storable(organization_id) and is_storable(email)):
            return None
        columns = users.c
        statement = select(users).where(columns.organization_id == organization_id, columns.email == email)
        row = (await self._connection.execute(statement)).one_or_none()
        return None if row is None else self._record(row)
