"""Prices that hold in one organisation."""

from sqlalchemy import select

from sluicegate.domain.tenants import PriceOverride
from sluicegate.store.repository import Repository
from sluicegate.store.schema import price_overrides
from sluicegate.store.values import is_storable


class PriceOverrides(Repository[PriceOverride]):
    """One for each model of a provider in an organisation."""

    table = price_overrides
    record = PriceOverride
    filters = frozenset({"organization_id"})
    packed = frozenset({"price"})

    async def of_model(self, organization_id: str, provider: str, model: str) -> PriceOverride | None:
        """What an organisation pays for a model of a provider, where that was set."""
        if not all(map(is_storable, (organization_id, provider, model))):
            return None
        columns = price_overrides.c
        statement = select(price_overrides).where(
            columns.organization_id == organization_id, columns.provider == provider, columns.model == model
        )
        row = (await self._connection.execute(statement)).one_or_none()
        return None if row is None else self._record(row)
