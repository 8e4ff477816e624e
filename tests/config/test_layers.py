"""Flags override variables, variables override the file; what configures itself makes way for what is declared."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.compile import Compiled
from sluicegate.config.layers import Demo, Overrides, is_lan_proxy
from sluicegate.config.load import load
from sluicegate.config.problem import ConfigurationError
from sluicegate.dialects.base import Dialect
from sluicegate.domain.snapshot import Origin, Provider
from sluicegate.domain.tokens import digest

LoadText = Callable[..., Compiled]
Dialects = Mapping[str, Dialect]

LAN = {
    "OPENAI_BASE_URL": "http://10.0.0.1:8000/v1",
    "OPENAI_API_KEY": "openai-key",
    "ANTHROPIC_BASE_URL": "http://10.0.0.2",
    "ANTHROPIC_API_KEY": "anthropic-key",
    "PROXY_TOKEN": "lan-token-1234",
}


def by_name(compiled: Compiled) -> dict[str, Provider]:
    """Providers by name."""
    return {provider.name: provider for provider in compiled.snapshot.providers}


def test_precedence(load_text: LoadText) -> None:
    """File, PORT, SLUICEGATE_PORT, flag: the later wins; what a source does not say is left."""
    text = "server: {host: 10.0.0.1, port: 1, workers: 2}\ndata_dir: /a\n"
    port, own = {"PORT": "2"}, {"PORT": "2", "SLUICEGATE_PORT": "3", "SLUICEGATE_DATA_DIR": "/b"}
    assert load_text(text).server.port == 1
    assert load_text(text, environment=port).server.port == 2
    assert load_text(text, environment=own).server.port == 3
    server = load_text(text, environment=own, overrides=Overrides(port=4, data_dir=Path("/c"))).server
    assert (server.host, server.port, server.workers, server.data_dir) == ("10.0.0.1", 4, 2, Path("/c"))


def test_other_variables_and_flags(load_text: LoadText) -> None:
    """Host, workers and management token can come from the environment, host and workers from flags."""
    environment = {"SLUICEGATE_HOST": "::", "SLUICEGATE_WORKERS": "3", "MANAGEMENT_TOKEN": "management-token"}
    compiled = load_text("server: {workers: 1}", environment=environment)
    assert (compiled.server.host, compiled.server.workers) == ("::", 3)
    assert compiled.management_digest is not None
    flags = Overrides(host="localhost", workers=4)
    server = load_text("", environment=environment, overrides=flags).server
    assert (server.host, server.workers) == ("localhost", 4)


def test_every_flag_is_a_setting_and_has_a_variable(load_text: LoadText) -> None:
    """Each setting that the command line may say can be said by a variable of the same name; the flag counts."""
    said: dict[str, Any] = {"host": "::1", "port": 5, "workers": 6, "data_dir": Path("/d"), "drain_seconds": 7.5}
    said["file_event_log"] = Path("/e")
    assert {field.name for field in fields(Overrides)} == {*said, "demo"}
    variables = {f"SLUICEGATE_{name.upper()}": str(value) for name, value in said.items()}
    less = {f"SLUICEGATE_{name.upper()}": "1" for name in said}
    by_flags = load_text("", environment=less, overrides=Overrides(**said))
    assert by_flags.settings == load_text("", environment=variables).settings
    server = by_flags.server
    assert (server.host, server.port, server.workers, server.data_dir) == ("::1", 5, 6, Path("/d"))
    assert by_flags.snapshot.drain_seconds == 7.5
    sink = by_flags.settings.sinks["file-event-log"]
    assert (sink.type, sink.path) == ("file", "/e")


def test_an_empty_variable_counts_as_unset(load_text: LoadText) -> None:
    """`PORT=` changes nothing, nor does an empty key or token."""
    environment = {"PORT": "", "OPENAI_API_KEY": "", "PROXY_TOKEN": "", "ADMIN_USER": ""}
    compiled = load_text("", environment=environment)
    assert (compiled.server.port, compiled.snapshot.providers, compiled.tokens) == (8080, (), {})


def test_problems_name_the_variable_or_flag(load_text: LoadText) -> None:
    """What is wrong with a value is said of where it came from."""
    environment = {"PORT": "http", "OPENAI_API_KEY": "key\n", "OPENAI_BASE_URL": "nowhere", "PROXY_TOKEN": "short"}
    with pytest.raises(ConfigurationError) as caught:
        load_text(
            "",
            environment=environment | {"ANTHROPIC_VERSION": "x\ny", "ANTHROPIC_API_KEY": "k"},
            overrides=Overrides(workers=0),
        )
    assert str(caught.value).splitlines() == [
        "command line: --workers: must be at least 1",
        "environment: PORT: must be a whole number",
        "environment: OPENAI_BASE_URL: must begin with http://, https:// or unix:/",
        "environment: OPENAI_API_KEY: begins or ends with a space or line break",
        "environment: ANTHROPIC_VERSION: must be printable ASCII without spaces at its ends",
        "environment: PROXY_TOKEN: must have at least 8 characters",
    ]


@pytest.mark.parametrize("name", ["MANAGEMENT_TOKEN", "ADMIN_PASSWORD", "SLUICEGATE_MASTER_KEY"])
def test_empty_secrets_are_refused(name: str, load_text: LoadText) -> None:
    """Unlike other variables: a gateway whose secret got lost on the way must not start as if none were wanted."""
    environment = {"ADMIN_USER": "ada", "ADMIN_PASSWORD": "secret", name: "", "DATA_FILE": "", "PORT": ""}
    with pytest.raises(ConfigurationError) as caught:
        load_text("", environment=environment)
    assert str(caught.value) == f"environment: {name}: is empty"


def test_administrator_comes_from_the_environment(load_text: LoadText) -> None:
    """Both variables make one, each overrides its half of the file's, and one alone is refused."""
    variables = {"ADMIN_USER": "ada", "ADMIN_PASSWORD": "päss word"}
    with pytest.raises(ConfigurationError, match="ADMIN_PASSWORD: holds a character"):
        load_text("", environment=variables)
    variables["ADMIN_PASSWORD"] = "pass: word"
    assert load_text("", environment=variables).admin_digest == digest(b"ada:pass: word")
    text = "admin: {user: bob, password: other}"
    assert load_text(text).admin_digest == digest(b"bob:other")
    assert load_text(text, environment={"ADMIN_USER": "ada"}).admin_digest == digest(b"ada:other")
    assert load_text("").admin_digest is None
    for name, value in variables.items():
        with pytest.raises(ConfigurationError, match="admin"):
            load_text("", environment={name: value})


def test_the_database_is_a_file_unless_told_otherwise(load_text: LoadText) -> None:
    """One in the data directory; the variable overrides the file."""
    assert load_text("").settings.database_url == "sqlite"
    environment = {"SLUICEGATE_DATABASE": "postgresql://u:p@h/d"}
    assert (
        load_text("database: sqlite:///a.db", environment=environment).settings.database_url == "postgresql://u:p@h/d"
    )


def test_key_file_and_master_key_come_from_the_environment(load_text: LoadText) -> None:
    """Their variables override the file."""
    environment = {"SLUICEGATE_MASTER_KEY": "0f" * 31 + "00", "DATA_FILE": "/data/keys.json"}
    settings = load_text("key_file: other.json", environment=environment).settings
    assert settings.key_file == "/data/keys.json"
    assert settings.master_key is not None
    assert settings.master_key.get_secret_value() == "0f" * 31 + "00"


def test_keys_configure_known_providers(load_text: LoadText) -> None:
    """A key is enough; base URL and version can be given; the first of two variables counts."""
    environment = {
        "OPENAI_API_KEY": "a",
        "ANTHROPIC_API_KEY": "b",
        "ANTHROPIC_BASE_URL": "http://10.0.0.2:81/x",
        "ANTHROPIC_VERSION": "2026-10-21",
        "GOOGLE_API_KEY": "d",
        "GEMINI_API_KEY": "c",
        "GROQ_API_KEY": "e",
    }
    providers = by_name(load_text("", environment=environment))
    assert [*providers] == ["openai", "anthropic", "gemini", "groq"]
    assert providers["openai"].origin == Origin("https", "api.openai.com", 443)
    assert providers["anthropic"].origin == Origin("http", "10.0.0.2", 81)
    assert providers["anthropic"].default_headers == (("anthropic-version", "2026-10-21"),)
    assert providers["gemini"].headers == (("authorization", "Bearer c"),)
    assert providers["groq"].base_path == "/openai/v1"
    assert providers["groq"].dialect == "openai"


def test_some_keys_need_an_address(load_text: LoadText) -> None:
    """Azure's endpoint, Cloudflare's account and gateway; without them the key configures nothing."""
    keys = {"AZURE_OPENAI_API_KEY": "a", "AI_GATEWAY_TOKEN": "b", "CO_API_KEY": "c", "ZAI_API_KEY": "d"}
    assert [*by_name(load_text("", environment=keys | {"AI_GATEWAY_ID": "g"}))] == ["cohere", "zai"]
    endpoint = {"AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/"}
    places = {"AI_GATEWAY_ACCOUNT_ID": "acc", "AI_GATEWAY_ID": "gw"}
    providers = by_name(load_text("", environment=keys | endpoint | places))
    azure, cloudflare = providers["azure"], providers["cloudflare"]
    assert (azure.authority, azure.base_path) == ("acme.openai.azure.com", "/openai/v1")
    assert azure.headers == (("api-key", "a"),)
    assert (cloudflare.authority, cloudflare.base_path) == ("gateway.ai.cloudflare.com", "/v1/acc/gw/compat")
    assert cloudflare.headers == (("cf-aig-authorization", "Bearer b"),)
    whole = {"AZURE_OPENAI_ENDPOINT": "https://acme.openai.azure.com/openai/v1/"}
    assert by_name(load_text("", environment=keys | whole))["azure"].base_path == "/openai/v1"


def test_a_part_of_an_address_is_told_by_its_variable(load_text: LoadText) -> None:
    """As any other value that came from the environment."""
    environment = {"AI_GATEWAY_TOKEN": "b", "AI_GATEWAY_ACCOUNT_ID": "a/c", "AI_GATEWAY_ID": "g"}
    with pytest.raises(ConfigurationError) as caught:
        load_text("", environment=environment)
    assert str(caught.value).startswith("environment: AI_GATEWAY_ACCOUNT_ID: must be letters, digits")
    assert len(caught.value.problems) == 1


def test_a_declared_provider_is_left_alone(load_text: LoadText) -> None:
    """A known provider's variables do not touch a provider of that name in the file."""
    text = "providers: {openai: {dialect: generic, base_url: 'http://h', api_key: own}}"
    providers = by_name(load_text(text, environment={"OPENAI_API_KEY": "a", "OPENAI_BASE_URL": "http://x"}))
    assert [*providers] == ["openai"]
    assert providers["openai"].authority == "h"
    assert providers["openai"].headers == (("authorization", "Bearer own"),)


def test_known_providers_can_be_targets(load_text: LoadText) -> None:
    """A model may name a provider that configured itself."""
    text = "models: [{name: m, targets: [{model: mistral/large}]}]"
    assert load_text(text, environment={"MISTRAL_API_KEY": "k"}).snapshot.models[0].targets[0].provider == "mistral"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["proxy"]),
        ("tokens: [{name: a, token: another-token}]", ["a", "proxy"]),
        ("tokens: [{name: lan, token: '${PROXY_TOKEN}'}]", ["lan"]),
        ("tokens: [{name: proxy, token: another-token}]", ["proxy"]),
    ],
)
def test_proxy_token(load_text: LoadText, text: str, names: list[str]) -> None:
    """PROXY_TOKEN is a token named proxy, unless the file declares that name or that secret."""
    compiled = load_text(text, environment={"PROXY_TOKEN": "lan-token-1234"})
    assert [principal.name for principal in compiled.tokens.values()] == names


@pytest.mark.parametrize("field", ["name", "token"])
def test_proxy_token_beside_a_value_of_the_wrong_kind(load_text: LoadText, field: str) -> None:
    """A list or mapping where a token has text is told as any other problem."""
    for wrong in ("[a]", "{a: b}"):
        token = {"name": "lan", "token": "lan-token-5678"} | {field: wrong}
        text = f"tokens: [{{name: {token['name']}, token: {token['token']}}}]"
        with pytest.raises(ConfigurationError, match=rf"tokens\[0\]\.{field}"):
            load_text(text, environment={"PROXY_TOKEN": "lan-token-1234"})


def test_lan_proxy(dialects: Dialects) -> None:
    """Its five variables alone start it: every interface, port 33000, both providers, any path, method and body."""
    compiled = load(None, LAN | {"MISTRAL_API_KEY": "not part of it"}, Overrides(), dialects=dialects)
    assert (compiled.server.host, compiled.server.port) == ("0.0.0.0", 33_000)
    assert [principal.name for principal in compiled.tokens.values()] == ["proxy"]
    openai, anthropic = compiled.snapshot.providers
    assert (openai.name, openai.authority, openai.base_path, openai.allow) == ("openai", "10.0.0.1:8000", "/v1", None)
    assert (anthropic.name, anthropic.authority, anthropic.allow) == ("anthropic", "10.0.0.2", None)
    assert {openai.ask_usage, anthropic.ask_usage} == {False}


def test_lan_proxy_can_be_moved(dialects: Dialects) -> None:
    """PORT, SLUICEGATE_HOST and ANTHROPIC_VERSION are honoured."""
    environment = LAN | {"PORT": "9", "SLUICEGATE_HOST": "127.0.0.1", "ANTHROPIC_VERSION": "2026-10-21"}
    compiled = load(None, environment, Overrides(), dialects=dialects)
    assert (compiled.server.host, compiled.server.port) == ("127.0.0.1", 9)
    assert compiled.snapshot.providers[1].default_headers == (("anthropic-version", "2026-10-21"),)


@pytest.mark.parametrize("missing", LAN)
def test_lan_proxy_names_what_is_missing(dialects: Dialects, missing: str) -> None:
    """Whichever one of the five is unset or empty, the start is refused and names it."""
    for environment in ({name: LAN[name] for name in LAN if name != missing}, LAN | {missing: ""}):
        with pytest.raises(ConfigurationError) as caught:
            load(None, environment, Overrides(), dialects=dialects)
        assert [problem.path for problem in caught.value.problems] == [missing]


def test_lan_proxy_names_all_that_is_missing(dialects: Dialects) -> None:
    """Several missing variables are named at once."""
    with pytest.raises(ConfigurationError) as caught:
        load(None, {"PROXY_TOKEN": "short", "OPENAI_BASE_URL": "http://h"}, Overrides(), dialects=dialects)
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {"OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "PROXY_TOKEN"}


@given(st.sets(st.sampled_from([*LAN]), min_size=4))
def test_four_of_the_five_always_mean_the_lan_proxy(names: set[str]) -> None:
    """No single omission changes what is meant."""
    assert is_lan_proxy({name: LAN[name] for name in names})


@pytest.mark.parametrize("names", [(), ("PROXY_TOKEN", "OPENAI_API_KEY"), ("OPENAI_BASE_URL", "OPENAI_API_KEY")])
def test_less_means_no_lan_proxy(names: tuple[str, ...]) -> None:
    """A key and a token, or one provider's variables, start an ordinary gateway on this machine."""
    assert not is_lan_proxy({name: LAN[name] for name in names})


def test_a_file_takes_the_place_of_the_lan_proxy(load_text: LoadText) -> None:
    """With a file, the same variables only configure known providers and a token."""
    compiled = load_text("", environment=LAN)
    assert (compiled.server.host, compiled.server.port) == ("127.0.0.1", 8080)
    assert compiled.snapshot.providers[0].allow is not None


def test_demo_takes_the_place_of_everything_but_the_server(load_text: LoadText) -> None:
    """The mock provider in three dialects, one token; ports and proxies still follow environment and flags."""
    demo = Demo("http://127.0.0.1:999/v1", "demo-token-1234")
    environment = LAN | {"PORT": "7", "ALL_PROXY": "socks5://p"}
    compiled = load_text("providers: broken", environment=environment, overrides=Overrides(demo=demo, workers=2))
    providers = by_name(compiled)
    assert {name: (provider.dialect, provider.base_path) for name, provider in providers.items()} == {
        "mock": ("openai", "/v1"),
        "mock-anthropic": ("anthropic", ""),
        "mock-gemini": ("gemini", ""),
    }
    assert {provider.authority for provider in providers.values()} == {"127.0.0.1:999"}
    assert {provider.proxy for provider in providers.values()} == {None}
    assert [principal.name for principal in compiled.tokens.values()] == ["demo"]
    assert (compiled.server.port, compiled.server.workers) == (7, 2)


def test_the_demo_token_is_not_shown() -> None:
    """Overrides are printed in logs; the token is not."""
    assert repr(Overrides(demo=Demo("http://h", "hunter2"))).endswith("demo=<Demo http://h>)")
