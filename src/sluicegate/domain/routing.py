"""Which provider and model a request goes to: decisions over values, with chance passed in."""

from collections.abc import Container

from sluicegate.domain.snapshot import Target


def choose_target(targets: tuple[Target, ...], point: float) -> Target:
    """The target that `point`, uniform in [0, 1), falls on: targets lie side by side, each as wide as its weight."""
    left = point * sum(target.weight for target in targets)
    for target in targets:
        left -= target.weight
        if left < 0:
            return target
    return targets[-1]


def split_model(model: str, providers: Container[str]) -> tuple[str, str] | None:
    """Split `provider/model` at its first slash, if what precedes it is a provider of ours.

    Model names hold slashes themselves (OpenRouter's `meta-llama/llama-4`), so any other prefix is part of the name.
    """
    provider, slash, name = model.partition("/")
    return (provider, name) if slash and name and provider in providers else None
