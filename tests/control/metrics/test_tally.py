"""What is counted of events."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.control.metrics.measured import Measured
from sluicegate.control.metrics.tables import OTHER
from sluicegate.control.metrics.tally import (
    MOST_MODELS,
    MOST_REQUEST_SETS,
    OVERHEAD_BOUNDS,
    KeptHistogram,
    KeptTally,
    Tally,
)
from sluicegate.domain.usage import Usage
from tests.control.metrics.events import USAGE, measured

MODELS = st.sampled_from(["", "gpt", "other", "new"])
STATUSES = st.sampled_from([200, 404, 500])


def test_everything_of_a_request_is_counted() -> None:
    """One stream that went well is in every table that it belongs to, and in no other."""
    tally = Tally()
    tally.add([measured()])
    assert tally.requests.items() == [(("model", "gpt", "openai", "200"), 1)]
    assert dict(tally.tokens.items()) == {
        ("input", "gpt", "openai"): 100,
        ("output", "gpt", "openai"): 20,
        ("cache_read", "gpt", "openai"): 60,
        ("reasoning", "gpt", "openai"): 5,
    }
    assert tally.cost.items() == [(("gpt", "openai"), 2_500_000)]
    assert tally.attempts.items() == [(("success",), 1)]
    assert [tally.limited.items(), tally.shadow_limited.items()] == [[], []]
    assert [tally.degraded.items(), tally.disconnected.items()] == [[], []]
    assert [(one.key, one.total) for one in tally.duration.observed()] == [(("model", "openai"), 1.5)]
    assert [(one.key, one.total) for one in tally.first_token.observed()] == [(("gpt", "openai"), 0.3)]
    assert [(one.key, one.total) for one in tally.overhead.observed()] == [((), 0.00004)]
    assert repr(tally) == "<Tally requests=1 models=1>"


def test_what_did_not_happen_is_not_counted() -> None:
    """A refusal has no provider, no tokens, no cost and no first token; it is a request all the same."""
    tally = Tally()
    tally.add(
        [
            measured(
                status_code=429,
                route="model",
                provider="",
                model="",
                attempts=0,
                is_stream=False,
                first_byte_ms=None,
                overhead_us=None,
                usage=None,
                upstream_status=None,
                cost=None,
                error="budget_exceeded",
                error_source="gateway",
                limit="tok_1|usd|day",
            )
        ]
    )
    assert tally.requests.items() == [(("model", "none", "none", "429"), 1)]
    assert tally.limited.items() == [(("token:usd:day",), 1)]
    assert not any(table.items() for table in (tally.tokens, tally.cost, tally.attempts, tally.shadow_limited))
    assert not tally.first_token.observed()
    assert not tally.overhead.observed()


def test_marks_of_an_event_are_counted() -> None:
    """Requests without a ledger, limits in shadow mode, and clients that left."""
    tally = Tally()
    tally.add([measured(is_degraded=True), measured(limit="tok_1|usd|day"), measured(client_disconnected=True)])
    assert tally.degraded.items() == [((), 1)]
    assert tally.shadow_limited.items() == [(("token:usd:day",), 1)]
    assert tally.disconnected.items() == [((), 1)]


def test_whole_answers_have_no_first_token() -> None:
    """Only of streams it is told when they began."""
    tally = Tally()
    tally.add([measured(is_stream=False)])
    assert not tally.first_token.observed()


def test_models_that_nobody_serves_take_no_room() -> None:
    """What clients ask for gets no label of its own before a provider has answered for it; failures have it then."""
    tally = Tally()
    tally.add(measured(model=f"invented-{number}", status_code=404, upstream_status=404) for number in range(1_000))
    tally.add([measured(model="refused", status_code=404, upstream_status=None)])
    tally.add([measured(model="gpt"), measured(model="gpt", status_code=500, upstream_status=500)])
    assert tally.requests.items() == [
        (("model", OTHER, "openai", "404"), 1_001),
        (("model", "gpt", "openai", "200"), 1),
        (("model", "gpt", "openai", "500"), 1),
    ]


def test_models_are_bounded() -> None:
    """Where a provider serves any name that it is asked for, later ones are counted together."""
    tally = Tally()
    tally.add(measured(model=f"model-{number}") for number in range(MOST_MODELS + 50))
    tally.add([measured(model="model-0")])
    counted = dict(tally.requests.items())
    assert len(counted) == MOST_MODELS + 1
    assert counted["model", OTHER, "openai", "200"] == 50
    assert counted["model", "model-0", "openai", "200"] == 2


def test_label_sets_are_bounded() -> None:
    """Whatever comes together, no more than so many are kept, and no request is lost."""
    tally = Tally()
    events = [
        measured(model=f"model-{model}", status_code=status, upstream_status=200)
        for model in range(50)
        for status in range(200, 300)
    ]
    tally.add(events)
    counted = tally.requests.items()
    assert len(counted) == MOST_REQUEST_SETS
    assert sum(value for _, value in counted) == len(events)


def test_overhead_has_buckets_from_20_microseconds() -> None:
    """A gateway that adds microseconds is not measured in milliseconds."""
    assert OVERHEAD_BOUNDS[0] == 0.00002
    assert list(OVERHEAD_BOUNDS) == sorted(set(OVERHEAD_BOUNDS))


def test_a_restored_tally_goes_on() -> None:
    """What was kept, written and read again, makes no difference to what is counted next."""
    events = [
        measured(),
        measured(model="other-model", status_code=429, upstream_status=429),
        measured(limit="tok|usd|day"),
    ]
    whole, first, second = Tally(), Tally(), Tally()
    whole.add(events * 2)
    first.add(events)
    second.restore(msgspec.json.decode(msgspec.json.encode(first.kept()), type=KeptTally))
    second.add(events)
    assert second.kept() == whole.kept()
    second.add([measured(model="gpt", status_code=500, upstream_status=500)])
    assert (("model", "gpt", "openai", "500"), 1) in second.requests.items()


def test_what_another_version_kept_is_taken_as_far_as_it_fits() -> None:
    """Tables that are new begin with nothing, and so do histograms whose buckets have changed."""
    old = Tally()
    old.add([measured()])
    kept = old.kept()
    del kept.counters["cost"]
    kept.counters["forgotten"] = [(("a",), 1)]
    [cut] = kept.histograms["duration"].observed
    kept.histograms["duration"] = KeptHistogram((1.0,), [msgspec.structs.replace(cut, counts=[1, 0])])
    new = Tally()
    new.restore(kept)
    assert new.requests.items() == old.requests.items()
    assert new.cost.items() == []
    assert new.duration.observed() == []
    assert new.overhead.observed() == old.overhead.observed()


@pytest.mark.parametrize("name", Usage.__struct_fields__)
def test_every_kind_of_token_has_a_type(name: str) -> None:
    """Nothing that a provider reports is left out."""
    tally = Tally()
    tally.add([measured(usage=msgspec.structs.replace(USAGE, **{name: 7}))])
    assert (name.removesuffix("_tokens"), "gpt", "openai", 7) in [(*key, value) for key, value in tally.tokens.items()]


def test_a_model_has_its_label_from_its_first_answer_on() -> None:
    """Also for statuses that it was asked with before, and for failures of providers that answered well elsewhere."""
    tally = Tally()
    tally.add([measured(status_code=500, upstream_status=500), measured(status_code=200, upstream_status=None)])
    tally.add([measured(), measured(status_code=500, upstream_status=500)])
    assert tally.requests.items() == [
        (("model", OTHER, "openai", "500"), 1),
        (("model", OTHER, "openai", "200"), 1),
        (("model", "gpt", "openai", "200"), 1),
        (("model", "gpt", "openai", "500"), 1),
    ]


@given(st.lists(st.builds(measured, model=MODELS, provider=st.sampled_from(["", "a", "b"]), status_code=STATUSES)))
def test_what_is_remembered_changes_nothing(events: list[Measured]) -> None:
    """A tally that forgets after each event where it counted counts the same."""
    one, other = Tally(), Tally()
    one.add(events)
    for event in events:
        restored = Tally()
        restored.restore(other.kept())
        restored.add([event])
        other = restored
    assert other.kept() == one.kept()
