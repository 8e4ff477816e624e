"""What is shown holds no secret; what needs a restart is told."""

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sluicegate.config.compile import Compiled
from sluicegate.config.layers import Overrides
from sluicegate.config.problem import ConfigurationError
from sluicegate.config.show import changes, needs_restart, redacted, redacted_yaml

LoadText = Callable[..., Compiled]

CANARY = "c4n4ry-s3cret"

EVERYWHERE = f"""\
management_token: {CANARY}-management
master_key: "${{MASTER}}"
database: postgresql://user:{CANARY}-database@host/name
providers:
  a:
    dialect: openai
    base_url: https://a.example/v1
    api_key: {CANARY}-key
    headers: {{x-custom: {CANARY}-header, authorization: Bearer {CANARY}, anthropic-version: "2026-10-21"}}
    default_headers: {{x-other: {CANARY}-default}}
    proxy: http://user:{CANARY}-proxy@proxy:3128
  b: {{dialect: openai, base_url: "https://b.example", api_key: "${{KEY}}"}}
tokens:
  - {{name: t, token: {CANARY}-token, expires_at: 2030-01-01T00:00:00Z}}
"""
ENVIRONMENT = {
    "KEY": f"{CANARY}-variable",
    "MASTER": f"{CANARY.encode().hex():0>64}",
    "HTTPS_PROXY": f"http://user:{CANARY}-environment@proxy:1",
    "MISTRAL_API_KEY": f"{CANARY}-mistral",
    "PROXY_TOKEN": f"{CANARY}-lan",
}


def test_no_secret_is_shown(load_text: LoadText) -> None:
    """A secret in every place that takes one appears in nothing that is printed."""
    compiled = load_text(EVERYWHERE, environment=ENVIRONMENT)
    for shown in (str(redacted(compiled)), redacted_yaml(compiled), repr(compiled), repr(compiled.settings)):
        assert CANARY not in shown
        assert CANARY.encode().hex() not in shown
    assert CANARY not in repr(compiled.snapshot)
    assert CANARY in str([provider.headers for provider in compiled.snapshot.providers]), "the workers do need them"


def test_everything_else_is_shown(load_text: LoadText) -> None:
    """Names, addresses, harmless headers and the effective proxy can be read, in the file's own shape."""
    shown = yaml.safe_load(redacted_yaml(load_text(EVERYWHERE, environment=ENVIRONMENT)))
    a, b = shown["providers"]["a"], shown["providers"]["b"]
    assert a["base_url"] == "https://a.example/v1"
    assert a["headers"] == {"x-custom": "****", "authorization": "****", "anthropic-version": "2026-10-21"}
    assert a["proxy"] == "http://****@proxy:3128"
    assert (b["api_key"], b["proxy"]) == ("****", "http://****@proxy:1")
    assert shown["tokens"][0]["expires_at"] == "2030-01-01T00:00:00Z"
    assert shown["defaults"] == {"openai": "a"}
    assert shown["server"]["port"] == 8080
    assert [token["name"] for token in shown["tokens"]] == ["t", "proxy"]


def test_deployments_are_shown(load_text: LoadText) -> None:
    """Each with its proxy in force, and no secret."""
    text = f"""\
providers:
  a:
    dialect: openai
    base_url: https://a.example/v1
    deployments:
      - {{name: one, api_key: {CANARY}, headers: {{x-a: {CANARY}, accept: text/plain}}}}
      - {{name: two, base_url: "https://b.example", proxy: "http://u:{CANARY}@p:1"}}
  b: {{preset: groq, api_keys: [{CANARY}-1, {CANARY}-2]}}
"""
    environment = {"HTTPS_PROXY": f"http://u:{CANARY}@environment:1"}
    shown = redacted(load_text(text, environment=environment))
    assert CANARY not in str(shown)
    one, two = shown["providers"]["a"]["deployments"]
    assert (one["headers"], one["proxy"]) == ({"x-a": "****", "accept": "text/plain"}, "http://****@environment:1")
    assert two["proxy"] == "http://****@p:1"
    assert shown["providers"]["a"]["proxy"] is None
    assert shown["providers"]["b"]["api_keys"] == ["****", "****"]
    assert shown["providers"]["b"]["proxy"] == "http://****@environment:1"
    text = text.replace("deployments:", f"proxy: http://u:{CANARY}@own:2\n    deployments:")
    assert redacted(load_text(text))["providers"]["a"]["proxy"] == "http://****@own:2"


def test_paths_that_need_a_restart() -> None:
    """A whole section, and all below it; not what only begins with the same letters."""
    assert all(map(needs_restart, ("server.tls", "server.tls.key", "database", "redis.address")))
    assert not any(map(needs_restart, ("server", "server.limits.body_bytes", "database_x", "providers.redis")))


def test_no_proxy_is_shown_as_none(load_text: LoadText) -> None:
    """What is in force is shown, whoever decided it."""
    shown = redacted(load_text("providers: {a: {dialect: openai, base_url: 'http://localhost'}}"))
    assert shown["providers"]["a"]["proxy"] == "none"


BROKEN = [
    ("api_key: 'SECRET\n\n  x'", {}),
    ("api_key: SECRETé", {}),
    ("api_key: {SECRET: 1}", {}),
    ("api_key: [SECRET]", {}),
    ("api_key: *SECRET", {}),
    ("api_key: &SECRET", {}),
    ("api_key: !SECRET x", {}),
    ("api_key: !<SECRET> x", {}),
    ("api_key: !!int SECRET", {}),
    ("api_key: %SECRET", {}),
    ("api_key: @SECRET", {}),
    ("api_key: 'SECRET", {}),
    ('api_key: "SECRET', {}),
    ('api_key: "\\SECRET"', {}),
    ("api_key: SECRET: x", {}),
    ("api_key: ${KEY}", {"KEY": " SECRET"}),
    ("api_key: ${SECRET-}", {"KEY": "x"}),
    ("proxy: socks5://u:SECRET@p", {}),
    ("proxy: http://u:SECRET@", {}),
    ("proxy: http://u:SECRET@p:x", {}),
    ("proxy: http://[SECRET", {}),
    ("headers: {x-a: ' SECRET'}", {}),
    ("headers: {x-a: [SECRET]}", {}),
    ("base_url: https://u:SECRET@h", {}),
    ("base_url: https://h?key=SECRET", {}),
    ("dialect: SECRET", {}),
    ("allow: SECRET", {}),
    ("max_wait: SECRET", {}),
    ("verify_tls: SECRET", {}),
    ("max_connections: SECRET", {}),
    ("zzz: SECRET", {}),
    ("ca_file: [SECRET]", {}),
]


@pytest.mark.parametrize(("line", "environment"), BROKEN)
def test_no_error_repeats_a_value(load_text: LoadText, line: str, environment: dict[str, str]) -> None:
    """However a secret is misplaced, misspelt or misquoted, neither the error nor its traceback repeats it."""
    secret = "c4n4rys3cret"
    text = f"providers:\n  a:\n    {line.replace('SECRET', secret)}\n"
    given = {name: value.replace("SECRET", secret) for name, value in environment.items()}
    with pytest.raises(ConfigurationError) as caught:
        load_text(text, environment=given)
    told = f"{caught.value} {caught.value!r} {caught.value.problems!r}"
    assert secret not in told
    assert secret not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("server: {host: '::'}", ("server.host",)),
        ("server: {port: 1, workers: 2}", ("server.port", "server.workers")),
        ("data_dir: /x", ("data_dir",)),
        ("database: sqlite:///x.db", ("database",)),
        ("redis: {address: 'redis://h'}", ("redis",)),
        ("limits: {wait: 1, unknown_price: free}", ()),
        (f"master_key: {'0f1e' * 16}\nkey_file: keys.json", ("master_key", "key_file")),
        ("server: {drain_seconds: 1, limits: {body_bytes: 1}}", ()),
        ("providers: {a: {dialect: openai, base_url: 'http://h'}}\ntokens: [{name: a, token: abcdefgh}]", ()),
    ],
)
def test_what_needs_a_restart(load_text: LoadText, text: str, changed: tuple[str, ...]) -> None:
    """Where and how the node listens and stores is fixed at the start; all else a reload changes."""
    assert changes(load_text(""), load_text(text)) == changed
    assert changes(load_text(text), load_text(text)) == ()


def test_tls_needs_a_restart(load_text: LoadText, tmp_path: Path) -> None:
    """A certificate in another file is another way to listen."""
    for name in ("a", "b"):
        (tmp_path / name).write_text("pem")
    one, other = (f"server: {{tls: {{certificate: {tmp_path}/{name}, key: {tmp_path}/a}}}}" for name in ("a", "b"))
    assert changes(load_text(one, overrides=Overrides()), load_text(other)) == ("server.tls",)
