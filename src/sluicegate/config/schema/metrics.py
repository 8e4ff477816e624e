"""Who may read the metrics."""

from pydantic import model_validator

from sluicegate.config import fields
from sluicegate.config.schema.section import Section


class Metrics(Section):
    """Who may read `/metrics`, beside managers of all organisations."""

    token: fields.Token | None = None
    """What Prometheus presents, as `Authorization: Bearer …`; it is good for nothing else."""
    public: bool = False
    """Whether anybody may, without a credential: the names of models and providers are in it."""

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> "Metrics":
        if self.public and self.token is not None:
            raise ValueError("has a token and is public: then nobody needs the token")
        return self
