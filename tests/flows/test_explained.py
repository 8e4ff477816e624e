"""What an explanation says would become of a request is what becomes of it: the same snapshot, asked both ways."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.control.explanation import Asked, Explanation, explain
from sluicegate.control.tenants.callers import Caller
from sluicegate.control.workers import Told
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import AllowRule, ModelAlias, Target
from sluicegate.domain.tokens import digest
from sluicegate.gateway.health import Health
from sluicegate.wire.link import DeploymentHealth, Journal
from tests.gateway.node import TOKEN, Node, a_provider, a_request, a_snapshot, an_answer, parts

SNAPSHOT = a_snapshot(
    providers=(
        a_provider("near", deployment="eu", region="eu", tags=("gdpr",), weight=3),
        a_provider("near", deployment="us", region="us", models=("large",)),
        a_provider("strict", allow=(AllowRule(("POST",), "chat/completions"),)),
        a_provider("far", "anthropic"),
        a_provider("g", "gemini"),
    ),
    models=(
        ModelAlias(
            "smart", (Target("near", "large", 4), Target("strict", "small")), fallbacks=((Target("far", "c"),),)
        ),
        ModelAlias("eu", (Target("near", "large"), Target("strict", "x")), regions=("eu",)),
        ModelAlias("asia", (Target("near", "large"),), regions=("asia",)),
        ModelAlias("c-*", (Target("far", "claude-*"),)),
        ModelAlias("gem", (Target("g", "gem-2"),), strategy="least_busy"),
    ),
)
MODELS = ("smart", "eu", "asia", "c-x", "gem", "near/m", "strict/m", "far/m", "g/m", "meta/m", "plain", "large")
PATHS = (
    *("/v1/chat/completions", "/v1/embeddings", "/v1/messages", "/v1/responses", "/v1/never", "/v1/models"),
    *("/near/v1/chat/completions", "/strict/chat/completions", "/strict/embeddings", "/far/v1/messages", "/nowhere/x"),
    *("/v1beta/models/{}:generateContent", "/v1/models/{}:countTokens", "/g/v1beta/models/{}:generateContent"),
)
PATTERNS = ("chat/completions", "/v1/**", "/near/**", "models/**")


class Heard(dict[str, list[Told]]):
    """What a worker tells of its deployments, as control has it."""

    def health(self, deployments: tuple[DeploymentHealth, ...]) -> bool:
        """Take it."""
        self.update({one.id: [Told(0, 1, one)] for one in deployments})
        return True

    def journal(self, journal: Journal) -> bool:
        """Nothing of it is explained."""
        return True


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """None of them mostly, or a few."""
    return st.one_of(st.just(()), st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple))


def told_of(node: Node, asked: Asked, principal: Principal) -> Explanation:
    """What the management API would say, which knows of deployments what the worker tells."""
    heard = Heard()
    Health(node.services.providers, heard, node.journal).sweep(node.now)
    caller = Caller(
        "token",
        principal.token_id,
        model=principal.model,
        model_of="token" if principal.model else None,
        models=principal.models,
        paths=principal.paths,
    )
    return explain(asked, caller, SNAPSHOT, told=lambda one: heard.get(one, []), price=lambda _provider, _model: None)


def answered(node: Node, asked: Asked, principal: Principal) -> tuple[str, str] | None:
    """Deployment and model that get the request; None where none does."""
    fields: list[str] = []
    if asked.regions:
        fields.append(f"x-gateway-region: {', '.join(asked.regions)}")
    if asked.tags:
        fields.append(f"x-gateway-tags: {', '.join(asked.tags)}")
    node.link.tokens[digest(TOKEN.encode())] = principal
    node.services.principals.forget(())
    body = b'{"model":"%b","input":"a","messages":[]}' % asked.model.encode()
    client = node.client().says(a_request(asked.path, body, fields=tuple(fields)))
    if not node.opener.reached or node.opener.reached == ["control"]:
        return None
    node.provider.says(an_answer())
    _, said, _ = parts(client.hears())
    return node.opener.reached[0], said["x-gateway-model"]


@settings(max_examples=300)
@given(
    path=st.sampled_from(PATHS),
    model=st.sampled_from(MODELS),
    narrowing=st.tuples(some(("eu", "us")), some(("gdpr", "none"))),
    own=st.one_of(st.none(), st.sampled_from(MODELS)),
    models=some(MODELS),
    patterns=some(PATTERNS),
    ejected=some(("near/eu", "near/us", "strict", "far", "g")),
)
def test_what_is_explained_is_what_happens(
    path: str,
    model: str,
    narrowing: tuple[tuple[str, ...], tuple[str, ...]],
    own: str | None,
    models: tuple[str, ...],
    patterns: tuple[str, ...],
    ejected: tuple[str, ...],
) -> None:
    """Whether it is refused, and if not, by whom and as what it may be answered."""
    asked = Asked(model, path.format(quote(model)), *narrowing)
    principal = Principal("tok_1", model=own, models=models, paths=patterns)
    with TemporaryDirectory() as directory, closing(Node(Path(directory), SNAPSHOT)) as node:
        for name in ejected:
            for _ in range(5):
                node.services.providers.by_id[name].breaker.failed(node.now, node, may_eject=True)
        explanation = told_of(node, asked, principal)
        found = answered(node, asked, principal)
    assert explanation.allowed == (found is not None), explanation.refusal
    if found is not None:
        groups = [
            {(one.deployment, one.model) for one in group.candidates if not one.excluded}
            for group in explanation.groups
        ]
        # Where nobody is well, whoever will be soonest is asked.
        is_any_well = any(one.excluded or one.state == "closed" for one in explanation.groups[0].candidates)
        assert found in (next(filter(None, groups)) if is_any_well else set().union(*groups))
