"""Settings become plain values with nothing left to resolve."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sluicegate.config.compile import Compiled, ServerPlan, token_id
from sluicegate.config.problem import ConfigurationError
from sluicegate.domain.default_limits import Terms
from sluicegate.domain.limits import Calendar, Lifetime, Limit, Rolling
from sluicegate.domain.principal import Principal
from sluicegate.domain.snapshot import AllowRule, ClientBounds, ModelAlias, Origin, Provider, Snapshot, Target, Timeouts
from sluicegate.domain.tokens import digest

LoadText = Callable[..., Compiled]


def test_a_provider_with_everything(load_text: LoadText, tmp_path: Path) -> None:
    """Every setting of a provider arrives in its compiled form."""
    (tmp_path / "ca.pem").write_text("certificate")
    text = f"""\
providers:
  full:
    dialect: openai
    base_url: https://Example.com:8443/v1/
    api_key: key-1
    headers: {{X-Title: gateway}}
    default_headers: {{OpenAI-Beta: x}}
    caller_headers: {{CF-AIG-Metadata: {{user_id: user, org_id: organization}}}}
    price_headers: {{cf-aig-custom-cost: {{per_token_in: input}}}}
    timeouts: {{connect: 1, first_byte: 2, between_bytes: 3, total: 4.5}}
    max_connections: 5
    max_wait: 0
    ask_usage: false
    prompt_overhead_tokens: 600
    verify_tls: false
    ca_file: {tmp_path}/ca.pem
    proxy: user:pass@proxy:3128
    allow:
      - {{methods: [get, POST], path: models/**}}
"""
    assert load_text(text).snapshot.providers == (
        Provider(
            name="full",
            dialect="openai",
            origin=Origin("https", "example.com", 8443),
            authority="example.com:8443",
            base_path="/v1",
            version_path="/v1/version",
            headers=(("authorization", "Bearer key-1"), ("x-title", "gateway")),
            default_headers=(("anthropic-version", "2000-01-01"), ("openai-beta", "x")),
            caller_headers=(("cf-aig-metadata", (("user_id", "user"), ("org_id", "organization"))),),
            price_headers=(("cf-aig-custom-cost", (("per_token_in", "input"),)),),
            allow=(AllowRule(("GET", "POST"), "models/**"),),
            timeouts=Timeouts(1, 2, 3, 4.5),
            max_connections=5,
            max_wait=0,
            ask_usage=False,
            prompt_overhead=600,
            verify_tls=False,
            ca_file=f"{tmp_path}/ca.pem",
            proxy="http://user:pass@proxy:3128",
        ),
    )


def test_a_provider_with_nothing_but_its_address(load_text: LoadText) -> None:
    """Defaults are the snapshot's own; no key means no credential; paths are the dialect's."""
    (provider,) = load_text("providers: {a: {dialect: openai, base_url: 'unix:/run/a.sock'}}").snapshot.providers
    assert provider == Provider(
        name="a",
        dialect="openai",
        origin=Origin("unix", "/run/a.sock", 0),
        authority="localhost",
        version_path="/version",
        default_headers=(("anthropic-version", "2000-01-01"),),
        allow=(AllowRule(("POST",), "chat/completions"),),
    )


def test_configured_headers_replace_the_dialects(load_text: LoadText) -> None:
    """A header is sent once: the operator's word counts."""
    text = """\
providers:
  a:
    dialect: openai
    base_url: http://h
    api_key: key-1
    headers: {Authorization: Custom x}
    default_headers: {anthropic-version: "2026-10-21"}
    allow: all
"""
    (provider,) = load_text(text).snapshot.providers
    assert provider.headers == (("authorization", "Custom x"),)
    assert provider.default_headers == (("anthropic-version", "2026-10-21"),)
    assert provider.allow is None


def test_proxies_come_from_the_environment_unless_set(load_text: LoadText) -> None:
    """The variables decide per provider; `none` and an address of its own override them."""
    text = """\
providers:
  a: {dialect: openai, base_url: "https://a.example"}
  b: {dialect: openai, base_url: "https://b.example", proxy: none}
  c: {dialect: openai, base_url: "https://c.example", proxy: "http://other:1"}
  d: {dialect: openai, base_url: "https://d.example"}
"""
    compiled = load_text(text, environment={"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "d.example"})
    proxies = [provider.proxy for provider in compiled.snapshot.providers]
    assert proxies == ["http://proxy:3128", None, "http://other:1", None]


def test_models_and_defaults(load_text: LoadText) -> None:
    """Targets split at the first slash; the first provider of a dialect is its default unless another is named."""
    text = """\
providers:
  a: {dialect: openai, base_url: "http://a"}
  b: {dialect: openai, base_url: "http://b"}
  c: {dialect: anthropic, base_url: "http://c"}
  d: {dialect: anthropic, base_url: "http://d"}
defaults: {anthropic: d}
models:
  - name: smart
    targets: [{model: a/meta/llama-4, weight: 20}, {model: b/claude}]
"""
    snapshot = load_text(text).snapshot
    assert snapshot.models == (ModelAlias("smart", (Target("a", "meta/llama-4", 20), Target("b", "claude", 1))),)
    assert snapshot.defaults == {"openai": "a", "anthropic": "d"}


def test_server_and_bounds(load_text: LoadText, tmp_path: Path) -> None:
    """What the node needs goes to the plan, what a worker needs to the snapshot."""
    for name in ("cert", "key"):
        (tmp_path / name).write_text("pem")
    text = f"""\
server:
  host: "::"
  port: 0
  workers: 4
  tls: {{certificate: {tmp_path}/cert, key: {tmp_path}/key}}
  drain_seconds: 5
  limits: {{body_bytes: 1000, head_seconds: 2}}
data_dir: /var/lib/sluicegate
authentication_grace: 0
"""
    compiled = load_text(text)
    assert compiled.server == ServerPlan(
        "::", 0, 4, Path("/var/lib/sluicegate"), certificate=tmp_path / "cert", key=tmp_path / "key"
    )
    assert compiled.snapshot == Snapshot(
        version=1, bounds=ClientBounds(body_bytes=1000, head_seconds=2), drain_seconds=5, authentication_grace=0
    )


def test_tokens_become_principals_under_their_digest(load_text: LoadText) -> None:
    """Names of owners get the prefix of their kind, times become Unix seconds; the secret is gone."""
    text = """\
tokens:
  - {name: plain, token: abcdefgh}
  - name: full
    token: sg-0123456789-0123456789
    project: search
    organization: org_acme
    user: ann@example.com
    expires_at: 2030-01-01T01:00:00+01:00
    active: false
    model: smart
    models: [smart]
    tags: [team, blue]
management_token: manage-me-please
"""
    compiled = load_text(text)
    assert compiled.tokens == {
        digest(b"abcdefgh"): Principal(token_id("plain"), "plain"),
        digest(b"sg-0123456789-0123456789"): Principal(
            token_id("full"),
            "full",
            project_id="prj_search",
            organization_id="org_acme",
            user_id="usr_ann@example.com",
            prefix="sg-012",
            expires_at=1893456000.0,
            is_active=False,
            model="smart",
            models=("smart",),
            tags=("team", "blue"),
        ),
    }
    assert compiled.management_digest == digest(b"manage-me-please")


def test_the_token_of_the_metrics_is_a_digest(load_text: LoadText) -> None:
    """Like all credentials that are presented to the gateway; without one there is none."""
    assert load_text("metrics: {token: scrape-me-please}").metrics_digest == digest(b"scrape-me-please")
    assert load_text("metrics: {public: true}").metrics_digest is None


def test_declared_tokens_have_their_own_limits_and_the_defaults(load_text: LoadText) -> None:
    """Their own stand before a default on the same metric and window; owners have the defaults of their kind."""
    text = """\
limits:
  defaults:
    organizations: [{metric: usd, window: month@Europe/Berlin, maximum: 12.50}]
    projects: [{metric: concurrency, window: lifetime, maximum: 3}]
    users: [{metric: tokens, window: 1d, maximum: "5", enforcement: shadow}]
    tokens: [{metric: requests, window: 1h, maximum: 1000}]
tokens:
  - name: bounded
    token: caller-secret
    user: ann
    limits: [{metric: requests, window: 60m, maximum: 7}, {metric: tokens, window: 5h, maximum: 9, enforcement: soft}]
  - {name: plain, token: other-secret}
"""
    compiled = load_text(text)
    bounded, plain = compiled.tokens.values()
    usd = Limit("organization", "org_default", "usd", Calendar("month", "Europe/Berlin"), 12_500_000_000)
    concurrency = Limit("project", "prj_default", "concurrency", Lifetime(), 3)
    assert bounded.limits == (
        Limit("token", bounded.token_id, "requests", Rolling(3600), 7),
        Limit("token", bounded.token_id, "tokens", Rolling(18_000), 9, "soft"),
        usd,
        concurrency,
        Limit("user", "usr_ann", "tokens", Rolling(86_400), 5, "shadow"),
    )
    assert plain.limits == (
        usd,
        concurrency,
        Limit("token", plain.token_id, "requests", Rolling(3600), 1000),
    )
    assert compiled.limit_defaults.tokens == (Terms("requests", Rolling(3600), 1000),)


@pytest.mark.parametrize(
    ("section", "keeps"),
    [
        ("{}", False),
        ("{enabled: true, bodies: {enabled: false}}", False),
        ("{enabled: false, bodies: {enabled: true}}", False),
        ("{bodies: {enabled: true}}", True),
    ],
)
def test_bodies_are_kept_only_where_that_is_said(load_text: LoadText, section: str, *, keeps: bool) -> None:
    """With the request log, by which they are found."""
    assert load_text(f"request_log: {section}").snapshot.keeps_bodies is keeps


def test_what_happens_at_a_limit_reaches_the_workers(load_text: LoadText) -> None:
    """How long to wait, and what to do without a price."""
    snapshot = load_text("limits: {wait: 0, unknown_price: free}").snapshot
    assert (snapshot.limit_wait, snapshot.unknown_price) == (0.0, "free")
    assert (load_text("").snapshot.limit_wait, load_text("").snapshot.unknown_price) == (5.0, "refuse")


def test_retries_and_plugins_reach_the_workers(load_text: LoadText) -> None:
    """Plugins in their order."""
    snapshot = load_text("resilience: {retries: {attempts: 1}}\nplugins: [redaction, audit]").snapshot
    assert (snapshot.retries.attempts, snapshot.plugins) == (1, ("redaction", "audit"))
    assert load_text("").snapshot.plugins == ()


def test_ids_of_declared_tokens_follow_from_their_names() -> None:
    """The same on every node and after every restart, as long as any other id, different for every name."""
    assert token_id("lan") == "tok_804697ebf46eb2ecb10a867d131a"
    assert token_id("lan") != token_id("wan")


def test_the_snapshot_travels(load_text: LoadText) -> None:
    """What is compiled survives encoding, as it is sent to workers."""
    text = "providers: {a: {dialect: openai, base_url: 'http://h', api_key: k}}\nserver: {port: 1}"
    snapshot = load_text(text).snapshot
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot) == snapshot


def test_repr_tells_counts_and_names_only(load_text: LoadText) -> None:
    """A compiled configuration can be logged."""
    text = """\
providers: {a: {dialect: openai, base_url: "http://h", api_key: hunter2}}
tokens: [{name: t, token: hunter22}]
"""
    assert repr(load_text(text)) == "<Compiled version=1 providers=['a'] models=0 tokens=1>"


def test_origins_of_pages_are_compiled(load_text: LoadText) -> None:
    """As browsers spell them."""
    cors = "{origins: ['https://chat.example.org:8443', '*'], max_age_seconds: 5}"
    snapshot = load_text(f"server: {{cors: {cors}}}").snapshot
    assert (snapshot.cors_origins, snapshot.cors_seconds) == (("https://chat.example.org:8443", "*"), 5)


def test_what_is_no_origin_is_refused(load_text: LoadText) -> None:
    """A path behind it would never match."""
    with pytest.raises(ConfigurationError, match="an origin as browsers spell it"):
        load_text("server: {cors: {origins: ['https://chat.example.org/']}}")
