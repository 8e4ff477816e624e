"""Why a request would go where it goes."""

from typing import Any

import pytest

from sluicegate.control.explanation import Asked, CandidateShown, Explanation, explain, way_of, worst
from sluicegate.control.tenants.callers import Caller
from sluicegate.control.workers import Told
from sluicegate.dialects.table import DIALECTS
from sluicegate.domain.pricing import Price, Rates
from sluicegate.domain.snapshot import (
    AllowRule,
    Circuit,
    ModelAlias,
    Origin,
    Provider,
    Retries,
    Snapshot,
    Strategy,
    Target,
    Timeouts,
)
from sluicegate.wire.link import CircuitState, DeploymentHealth

CHAT = "/v1/chat/completions"


def provider(name: str, deployment: str = "", **fields: Any) -> Provider:
    """A provider of the openai dialect, unless told otherwise."""
    dialect = fields.pop("dialect", "openai")
    return Provider(name, dialect, Origin("http", name, 80), name, deployment=deployment, **fields)


PROVIDERS = (
    provider("near", "eu", region="eu", tags=("gdpr",), weight=3),
    provider("near", "us", region="us"),
    provider("far", dialect="anthropic"),
    provider("g", dialect="gemini"),
)
SMART = ModelAlias(
    "smart",
    (Target("near", "large", weight=4), Target("far", "claude")),
    fallbacks=((Target("near", "small"),),),
    sticky="header",
    sticky_header="x-session",
    hedge=0.5,
)
SNAPSHOT = Snapshot(
    1,
    providers=PROVIDERS,
    models=(
        SMART,
        ModelAlias("c-*", (Target("far", "claude-*"),)),
        ModelAlias("gem-smart", (Target("g", "gem-2"),)),
    ),
    defaults={"openai": "near", "gemini": "g"},
)
TOKEN = Caller("token", "tok_1", "nightly")


def told(
    model: str = "smart",
    path: str = CHAT,
    caller: Caller | None = None,
    snapshot: Snapshot = SNAPSHOT,
    health: dict[str, list[Told]] | None = None,
    **asked: tuple[str, ...],
) -> Explanation:
    """What would become of a request."""

    def price(provider: str, model: str) -> Price | None:
        return Price("v1", Rates(1_000_000_000, 2_500_000_000)) if (provider, model) == ("near", "large") else None

    return explain(
        Asked(model, path, **asked), caller, snapshot, told=lambda one: (health or {}).get(one, []), price=price
    )


def candidates(explanation: Explanation, rank: int = 0) -> dict[str, CandidateShown]:
    """Those of a group, by their deployment."""
    return {one.deployment: one for one in explanation.groups[rank].candidates}


def shares(explanation: Explanation, rank: int = 0) -> dict[str, float | None]:
    """What each of a group gets, in percent."""
    return {name: one.share for name, one in candidates(explanation, rank).items()}


def failing(state: CircuitState = "open", *, rests_for: float = 0.0, worker: int = 0) -> Told:
    """What a worker told."""
    return Told(worker, 10 + worker, DeploymentHealth("any", state, 5, 4.0, rests_for, 0, 1))


def test_a_model_of_ours_is_shown_whole() -> None:
    """Rule, terms and targets are told, with each deployment's share, price and timeouts, then the fallbacks."""
    found = told()
    assert (found.allowed, found.rule, found.alias, found.answered_by) == (True, "alias", "smart", "smart")
    assert (found.strategy, found.sticky.by, found.sticky.header) == ("weighted", "header", "x-session")
    assert (found.operation, found.hedge, found.retries["attempts"]) == ("chat", 0.5, Retries().attempts)
    assert shares(found) == {"near/eu": 60.0, "near/us": 20.0, "far": 20.0}
    assert shares(found, 1) == {"near/eu": 75.0, "near/us": 25.0}
    first = candidates(found)["near/eu"]
    assert first.price is not None
    assert (first.price.input, first.price.output, first.model, first.state) == (1.0, 2.5, "large", "closed")
    assert first.timeouts["total"] == Timeouts().total
    assert candidates(found)["far"].price is None


@pytest.mark.parametrize(
    ("model", "path", "rule", "alias", "deployments"),
    [
        ("c-x", CHAT, "wildcard", "c-*", {"far": "claude-x"}),
        ("far/m", CHAT, "provider", None, {"far": "m"}),
        ("m", CHAT, "default", None, {"near/eu": "m", "near/us": "m"}),
        ("smart", "/far/v1/messages", "default", None, {"far": "smart"}),
        ("gem", "/v1beta/models/gem:generateContent", "default", None, {"g": "gem"}),
        ("g/gem", "/v1beta/models/g/gem:generateContent", "provider", None, {"g": "gem"}),
        ("gem-smart", "/v1beta/models/gem-smart:countTokens", "alias", "gem-smart", {"g": "gem-2"}),
        ("gem-smart", "/g/v1beta/models/gem-smart:countTokens", "default", None, {"g": "gem-smart"}),
    ],
)
def test_each_way_that_a_name_leads(
    model: str, path: str, rule: str, alias: str | None, deployments: dict[str, str]
) -> None:
    """A name with an asterisk, a provider's own, nothing, or a path that names the provider itself."""
    found = told(model, path)
    assert (found.allowed, found.rule, found.alias) == (True, rule, alias)
    assert {name: one.model for name, one in candidates(found).items()} == deployments


@pytest.mark.parametrize(
    ("model", "path", "caller", "words"),
    [
        ("smart", CHAT, Caller("token", "t", refusal="it is revoked"), "the token may not be used: it is revoked"),
        ("smart", CHAT, Caller("user", "u", refusal="it is suspended"), "the user may not be used"),
        ("smart", CHAT, Caller("token", "t", paths=("embeddings", "/v1/models")), "may not use the path"),
        ("smart", "/nowhere/at/all", None, "no provider is asked on the path /nowhere/at/all"),
        ("smart", "/v1/models", None, "no provider is asked on the path /v1/models"),
        ("gem", "/v1beta/models/gem", None, "no provider is asked on the path /v1beta/models/gem"),
        ("smart", "/livez", None, "no provider is asked"),
        ("smart", "/admin/config", None, "no provider is asked"),
        ("smart", CHAT, Caller("token", "t", models=("c-x",)), "may not use the model 'smart'; it may use c-x"),
        ("unheard-of", "/v1/messages", None, "no provider serves the model 'unheard-of'"),
    ],
)
def test_what_would_be_refused_says_why(model: str, path: str, caller: Caller | None, words: str) -> None:
    """In the order in which workers look, so that the first reason is the one that a client would be told."""
    found = told(model, path, caller)
    assert not found.allowed
    assert words in (found.refusal or "")


def test_a_model_in_the_path_is_held_against_the_allowlist_of_who_answers() -> None:
    """As the path that it would get."""
    only = provider("g", dialect="gemini", allow=(AllowRule(("POST",), "models/small:generateContent"),))
    aliases = ModelAlias("small", (Target("g", "large"),)), ModelAlias("large", (Target("g", "small"),))
    bound = Snapshot(1, (only,), aliases)
    assert told("large", "/v1beta/models/large:generateContent", snapshot=bound).allowed
    found = told("small", "/v1beta/models/small:generateContent", snapshot=bound)
    assert (found.allowed, candidates(found)["g"].excluded) == (
        False,
        "its allowlist has no path models/large:generateContent",
    )


def test_what_names_no_model_needs_a_provider_of_the_api() -> None:
    """Gemini's files are at the default one."""
    assert told("m", "/v1beta/files", snapshot=Snapshot(1, PROVIDERS)).refusal == (
        "no provider is asked on the path /v1beta/files"
    )


def test_a_path_that_no_api_has() -> None:
    """Where a default provider would get it all the same, it is not refused here."""
    bare = Snapshot(1, PROVIDERS)
    assert told("near/m", "/v1/never", snapshot=bare).refusal == "no API has a path /v1/never"
    assert told("near/m", "/v1/chat/completions", snapshot=bare).allowed


@pytest.mark.parametrize("path", ["/v1/chat/completions", "chat/completions", "chat/**"])
def test_paths_of_a_token_are_read_as_workers_read_them(path: str) -> None:
    """With a slash in front of the whole path, without of the API's own."""
    assert told(caller=Caller("token", "t", paths=(path,))).allowed


@pytest.mark.parametrize("whose", ["token", "project"])
def test_a_model_of_the_callers_own_answers_conversations(whose: Any) -> None:
    """Whatever is asked for, and told with whose setting it is; for embeddings another kind of model is meant."""
    caller = Caller("token", "t", model="c-x", model_of=whose, models=("something",))
    found = told("smart", caller=caller)
    assert (found.answered_by, found.overridden_by, found.rule, found.allowed) == ("c-x", whose, "wildcard", True)
    other = told("something", "/v1/embeddings", caller)
    assert (other.answered_by, other.overridden_by, other.allowed) == ("something", None, True)
    assert not told("else", "/v1/embeddings", caller).allowed


def test_a_model_of_the_callers_own_is_looked_for_at_the_provider_that_the_path_names() -> None:
    """What it stands for there; where that is nothing, it is refused."""
    own = Caller("token", "t", model="smart", model_of="token")
    found = told("any", "/near/v1/chat/completions", own)
    assert (found.allowed, found.rule, found.alias) == (True, "alias", "smart")
    assert shares(found) == {"near/eu": 75.0, "near/us": 25.0}
    away = told("any", "/near/v1/chat/completions", Caller("token", "t", model="c-x", model_of="token"))
    assert (away.allowed, away.groups) == (False, [])
    assert away.refusal == "the token is bound to the model 'c-x', which is not served by near, whom the path names"


def test_constraints_leave_deployments_out() -> None:
    """Those of the model and those of the request, each with its reason; the others share what is left."""
    alias = ModelAlias("smart", SMART.targets, regions=("eu", "us"), tags=())
    snapshot = Snapshot(1, PROVIDERS, (alias,))
    found = told(snapshot=snapshot, tags=("gdpr",))
    assert shares(found) == {"near/eu": 100.0, "near/us": None, "far": None}
    reasons = {name: one.excluded for name, one in candidates(found).items()}
    assert reasons == {
        "near/eu": None,
        "near/us": "it has not the tag gdpr, which the request asks for",
        "far": "its region is not set, and the model asks for eu or us",
    }
    nowhere = told(snapshot=snapshot, regions=("mars",))
    assert (nowhere.allowed, shares(nowhere)) == (False, {"near/eu": None, "near/us": None, "far": None})
    assert "no deployment may serve" in (nowhere.refusal or "")


def test_an_allowlist_leaves_a_deployment_out() -> None:
    """A provider that is not asked on this path gets nothing."""
    closed = provider("closed", allow=(AllowRule(("POST",), "embeddings"),))
    found = told("closed/m", snapshot=Snapshot(1, (closed,)))
    assert candidates(found)["closed"].excluded == "its allowlist has no path chat/completions"
    assert not found.allowed


def test_a_fallback_is_asked_while_all_before_it_are_left_alone() -> None:
    """So they get no share; where the fallback is left alone as well, the last ones are asked all the same."""
    alias = ModelAlias("smart", (Target("near", "large"),), fallbacks=((Target("far", "claude"),),))
    snapshot = Snapshot(1, PROVIDERS, (alias,), {"openai": "near"})
    health = {"near/eu": [failing()], "near/us": [failing()]}
    found = told(snapshot=snapshot, health=health)
    assert (found.allowed, shares(found, 1)) == (True, {"far": 100.0})
    assert shares(found) == {"near/eu": None, "near/us": None}
    found = told(snapshot=snapshot, health=health | {"far": [failing()]})
    assert (found.allowed, shares(found)) == (True, {"near/eu": 75.0, "near/us": 25.0})


def test_nobody_is_asked_while_all_are_left_alone_who_may_be() -> None:
    """Where the last one may be left alone, too."""
    one = provider("near", circuit=Circuit(opens_last=True))
    found = told("m", snapshot=Snapshot(1, (one,), defaults={"openai": "near"}), health={"near": [failing()]})
    assert (found.allowed, candidates(found)["near"].excluded) == (False, "it has failed too often and is left alone")


def test_who_is_left_alone_gets_no_share_as_long_as_others_do() -> None:
    """Where all workers leave it alone, or rest it; where nobody is well, all are asked as if they were."""
    health = {"near/eu": [failing(), failing(worker=1)], "near/us": [failing("closed", rests_for=3.0)]}
    found = told(health=health)
    assert shares(found) == {"near/eu": None, "near/us": None, "far": 100.0}
    first, second = candidates(found)["near/eu"], candidates(found)["near/us"]
    assert (first.state, first.reopens_in, first.excluded) == ("open", 4.0, "it has failed too often and is left alone")
    assert (second.state, second.rests_for, second.excluded) == ("closed", 3.0, "its own limits are used up")
    assert shares(told(health={"near/eu": [failing(), failing("closed", worker=1)]}))["near/eu"] == 60.0
    assert shares(told(health={name: [failing()] for name in ("near/eu", "near/us", "far")}))["near/eu"] == 60.0
    assert worst([]) == "closed"


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("cheapest", {"near/eu": 75.0, "near/us": 25.0, "far": 0.0}),
        ("lowest_latency", {"near/eu": None, "near/us": None, "far": None}),
        ("round_robin", {"near/eu": 60.0, "near/us": 20.0, "far": 20.0}),
    ],
)
def test_shares_go_by_the_strategy(strategy: Strategy, expected: dict[str, float | None]) -> None:
    """The cheapest get all; what the moment decides is not told before."""
    targets = (Target("near", "large", weight=4, rate=2), Target("far", "claude", rate=5))
    found = told(snapshot=Snapshot(1, PROVIDERS, (ModelAlias("smart", targets, strategy=strategy),)))
    assert shares(found) == expected
    assert found.allowed


def test_unknown_rates_and_single_candidates() -> None:
    """Where no rate is known the cheapest is chosen by weight; the only one gets everything, however it is chosen."""
    unknown = ModelAlias("smart", SMART.targets, strategy="cheapest")
    assert shares(told(snapshot=Snapshot(1, PROVIDERS, (unknown,))))["far"] == 20.0
    alone = ModelAlias("smart", (Target("far", "claude"),), strategy="lowest_latency")
    assert shares(told(snapshot=Snapshot(1, PROVIDERS, (alone,)))) == {"far": 100.0}


def test_terms_of_the_model_go_before_those_of_others() -> None:
    """Timeouts and retries that a model has for itself are shown in place of the provider's and the snapshot's."""
    alias = ModelAlias("smart", SMART.targets, timeouts=Timeouts(total=7.0), retries=Retries(attempts=1))
    found = told(snapshot=Snapshot(1, PROVIDERS, (alias,)))
    assert found.retries["attempts"] == 1
    assert {one.timeouts["total"] for one in candidates(found).values()} == {7.0}


def test_the_caller_is_named() -> None:
    """Who would ask is told with the answer."""
    found = told(caller=TOKEN).caller
    assert found is not None
    assert (found.kind, found.id, found.name) == ("token", "tok_1", "nightly")


@pytest.mark.parametrize(
    ("path", "dialect", "default", "rest"),
    [
        ("/v1/chat/completions", "openai", "near", "chat/completions"),
        ("/v1/messages", "anthropic", None, "messages"),
        ("/v1/complete", "anthropic", None, "complete"),
        ("/v1beta/models/m:generateContent", "gemini", "g", "models/m:generateContent"),
        ("/v1beta/models/far/m:generateContent", "gemini", "g", "models/far%2Fm:generateContent"),
        ("/v1beta/files", "gemini", "g", "files"),
        ("/v1/models/m:generateContent", "gemini", "g", "models/m:generateContent"),
        ("/near/v1/chat/completions", "openai", "near", "chat/completions"),
        ("/far/v1/messages", "anthropic", "far", "messages"),
        ("/openai/deployments/m/chat/completions", "openai", "near", "chat/completions"),
        ("/openai/responses", "openai", "near", "responses"),
    ],
)
def test_a_path_is_read_as_workers_read_it(path: str, dialect: str, default: str | None, rest: str) -> None:
    """Dialect, default provider and the API's own path."""
    way = way_of(path, SNAPSHOT)
    assert way.dialect is DIALECTS[dialect]
    assert (way.default, way.rest) == (default, rest)
