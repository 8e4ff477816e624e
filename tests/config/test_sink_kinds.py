"""The types of sinks, and what each takes."""

from importlib.util import find_spec

from sluicegate.config.schema import SinkSettings
from sluicegate.config.sink_kinds import EVERY_SINK, KINDS


def test_settings_exist() -> None:
    """A type takes only what there is, each once, and each setting means something to some type."""
    fields = set(SinkSettings.model_fields)
    for kind in KINDS.values():
        assert kind.settings <= fields
        assert not {*kind.required} & {*kind.optional}
        assert {name for name, _ in kind.variables} <= kind.settings
    assert fields == {name for kind in KINDS.values() for name in kind.settings}
    assert fields >= EVERY_SINK


def test_each_type_has_its_module() -> None:
    """Of its name."""
    for name in KINDS:
        assert find_spec(f"sluicegate.events.sinks.{name}"), name


def test_the_reference_names_all_types() -> None:
    """Where it says which there are."""
    description = SinkSettings.model_fields["type"].description or ""
    assert all(f"`{name}`" in description for name in KINDS)
