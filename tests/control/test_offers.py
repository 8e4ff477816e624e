"""Which models are on offer, and which of them a caller may use."""

import asyncio
import json
from typing import Any

from sluicegate.control.offers import LARGEST_KEPT, Model, Offer, Offers
from sluicegate.control.prices.catalogue import Catalogue, bundled
from sluicegate.domain.snapshot import ModelAlias, Origin, Provider, Snapshot, Target


def provider(name: str, *models: str, dialect: str = "openai", **fields: Any) -> Provider:
    """A provider with these models."""
    return Provider(name, dialect, Origin("https", f"{name}.test", 443), f"{name}.test", models=models, **fields)


SNAPSHOT = Snapshot(
    1,
    providers=(
        provider("near", "small", "large", deployment="one"),
        provider("near", "large", "huge", deployment="two"),
        provider("far", "claude-a", "claude-b", "other", dialect="anthropic"),
    ),
    models=(
        ModelAlias("smart", (Target("near", "large"),)),
        ModelAlias("c-*", (Target("far", "claude-*"), Target("near", "large"))),
        ModelAlias("none-*", (Target("far", "nothing-*"),)),
    ),
    defaults={"openai": "near"},
)


class Catalogues:
    """Gives the bundled catalogue, and counts how often."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Catalogue:
        """Give it."""
        self.asked += 1
        return bundled()


def ids(offer: Offer) -> list[str]:
    """The models of an offer."""
    return [model["id"] for model in json.loads(offer.body)["data"]]


def offered(
    snapshot: Snapshot = SNAPSHOT, model: str | None = None, models: tuple[str, ...] = (), offers: Offers | None = None
) -> Offer:
    """What somebody is offered."""
    return asyncio.run((offers or Offers(bundled)).of(snapshot, model, models))


def test_all_names_are_listed_those_of_ours_first() -> None:
    """Aliases, then what a pattern of ours is known to stand for, then the default provider's models, then the rest."""
    assert ids(offered()) == [
        *("smart", "c-a", "c-b"),
        *("small", "large", "huge"),
        *("near/small", "near/large", "near/huge", "far/claude-a", "far/claude-b", "far/other"),
    ]


def test_a_model_has_the_fields_of_both_families() -> None:
    """One object serves the SDKs of OpenAI and of Anthropic."""
    found = offered().find("near/small")
    assert found is not None
    assert json.loads(found) == {
        "id": "near/small",
        "object": "model",
        "created": 0,
        "owned_by": "near",
        "type": "model",
        "display_name": "small",
        "created_at": "1970-01-01T00:00:00Z",
    }
    assert offered().find("tiny") is None


def test_the_list_names_its_ends() -> None:
    """There is one page, with the ids that cursors of Anthropic's SDK are made of; an empty one has none."""
    body = json.loads(offered().body)
    assert (body["object"], body["has_more"], body["first_id"], body["last_id"]) == (
        "list",
        False,
        "smart",
        "far/other",
    )
    empty = json.loads(Offer(()).body)
    assert (empty["data"], empty["first_id"], empty["last_id"]) == ([], None, None)


def test_of_two_of_one_name_the_first_counts() -> None:
    """An alias hides the provider's model of the same name."""
    offer = Offer([Model("m", "ours", "m"), Model("n", "x", "n"), Model("m", "theirs", "m")])
    assert [(one["id"], one["owned_by"]) for one in json.loads(offer.body)["data"]] == [("m", "ours"), ("n", "x")]
    assert repr(offer) == "<Offer 2>"


def test_a_token_is_shown_what_it_is_bound_to() -> None:
    """Just these, also names that nobody knows, as long as somebody would be asked for them."""
    assert ids(offered(models=("large", "far/claude-a", "fine-tuned"))) == ["large", "far/claude-a", "fine-tuned"]
    no_default = Snapshot(1, SNAPSHOT.providers, SNAPSHOT.models)
    wanted = ("fine-tuned", "far/new", "c-new", "c-", "nobody/new")
    assert ids(offered(no_default, models=wanted)) == ["far/new", "c-new"]


def test_a_model_that_answers_everything_is_alone() -> None:
    """Who is answered by one model, whatever it asks for, is shown that one, known or not."""
    assert ids(offered(model="smart", models=("large",))) == ["smart"]
    assert ids(offered(model="unheard-of")) == ["unheard-of"]


def test_without_configured_models_the_bundled_table_knows_them() -> None:
    """A provider of which no deployment lists models has those of the table, with the names that people know."""
    snapshot = Snapshot(
        1,
        providers=(
            Provider("own", "anthropic", Origin("https", "api.anthropic.com", 443), "api.anthropic.com"),
            Provider("shed", "openai", Origin("http", "127.0.0.1", 80), "127.0.0.1"),
        ),
    )
    models = json.loads(offered(snapshot).body)["data"]
    assert {model["owned_by"] for model in models} == {"own"}
    assert ("own/claude-2", "Claude 2.0 / 2.1") in {(model["id"], model["display_name"]) for model in models}


def test_the_table_is_read_once_and_only_when_needed() -> None:
    """Where all models are configured nobody reads it; else it serves every later configuration."""
    catalogues = Catalogues()
    offers = Offers(catalogues)
    offered(offers=offers)
    assert catalogues.asked == 0
    for version in (1, 2):
        offered(Snapshot(version, (provider("anthropic", dialect="anthropic"),)), offers=offers)
    assert catalogues.asked == 1


def test_lists_are_made_once_for_each_configuration_and_set() -> None:
    """The same set of the same configuration gets the same list; a new configuration has new ones; few are kept."""
    offers = Offers(bundled)
    first = offered(models=("large",), offers=offers)
    assert offered(models=("large",), offers=offers) is first
    assert offered(Snapshot(2, SNAPSHOT.providers), models=("large",), offers=offers) is not first
    for number in range(LARGEST_KEPT + 5):
        offered(model=f"m{number}", offers=offers)
    assert 0 < int(repr(offers).partition("kept=")[2].rstrip(">")) <= LARGEST_KEPT
