"""Accounts of managers."""

from sluicegate.domain.tenants import Account
from sluicegate.store.repository import Repository
from sluicegate.store.schema import accounts


class Accounts(Repository[Account]):
    """Managers who log in with a password."""

    table = accounts
    record = Account
    searched = ("login",)
    filters = frozenset({"organization_id"})

    async def by_login(self, login: str) -> Account | None:
        """The account of this name."""
        return await self._one(accounts.c.login, login)
