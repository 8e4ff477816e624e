"""Settings of models → the aliases that the workers choose targets by. Pure."""

from sluicegate.config.schema import ModelSettings, StickyHeader
from sluicegate.domain.snapshot import ModelAlias, Retries, Sticky, Target, Timeouts


def compiled_models(models: tuple[ModelSettings, ...]) -> tuple[ModelAlias, ...]:
    """Compile checked models, in the order of the file.

    The targets' rates are left open: what models cost is no matter of this configuration alone.
    """
    groups = {model.name: _targets(model) for model in models}
    return tuple(_alias(model, groups) for model in models)


def _alias(model: ModelSettings, groups: dict[str, tuple[Target, ...]]) -> ModelAlias:
    sticky, header = _sticky(model)
    return ModelAlias(
        name=model.name,
        targets=groups[model.name],
        fallbacks=tuple(groups.get(fallback) or (_target(fallback, 1),) for fallback in model.fallbacks),
        strategy=model.strategy,
        sticky=sticky,
        sticky_header=header,
        regions=model.regions,
        tags=model.tags,
        timeouts=Timeouts(**model.timeouts.model_dump()) if model.timeouts else None,
        retries=Retries(**model.retries.model_dump()) if model.retries else None,
        hedge=model.hedge_seconds,
    )


def _sticky(model: ModelSettings) -> tuple[Sticky, str]:
    if isinstance(model.sticky, StickyHeader):
        return "header", model.sticky.header
    return model.sticky or "", ""


def _targets(model: ModelSettings) -> tuple[Target, ...]:
    return tuple(_target(target.model, target.weight) for target in model.targets)


def _target(text: str, weight: int) -> Target:
    provider, _, model = text.partition("/")
    return Target(provider, model, weight)
