"""Loading reads files, changes nothing, and refuses with every problem."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sluicegate.config.compile import Compiled
from sluicegate.config.layers import Demo, Overrides
from sluicegate.config.load import load, read_text
from sluicegate.config.problem import ConfigurationError
from sluicegate.dialects.base import Dialect

LoadText = Callable[..., Compiled]
Problems = Callable[..., list[str]]
Dialects = Mapping[str, Dialect]


def test_nothing_at_all_is_a_configuration(dialects: Dialects) -> None:
    """With no file and an empty environment there is a gateway without providers, on this machine only."""
    compiled = load(None, {}, Overrides(), dialects=dialects)
    assert (compiled.server.host, compiled.server.port, compiled.snapshot.providers) == ("127.0.0.1", 8080, ())


def test_the_version_is_the_callers(dialects: Dialects) -> None:
    """A caller that reloads counts."""
    assert load(None, {}, Overrides(), dialects=dialects, version=7).snapshot.version == 7


def test_the_file_is_named_by_flag_or_environment(tmp_path: Path, dialects: Dialects) -> None:
    """The command line comes before SLUICEGATE_CONFIG; a file that nobody names is not looked for here."""
    environment = {"SLUICEGATE_CONFIG": str(tmp_path / "a.yaml")}
    (tmp_path / "a.yaml").write_text("server: {port: 9}")
    (tmp_path / "b.yaml").write_text("server: {port: 10}")
    assert load(None, environment, Overrides(), dialects=dialects).server.port == 9
    assert load(tmp_path / "b.yaml", environment, Overrides(), dialects=dialects).server.port == 10


def test_a_file_that_cannot_be_read(tmp_path: Path, dialects: Dialects) -> None:
    """A missing, binary or huge file is a problem with its name."""
    binary, huge = tmp_path / "binary", tmp_path / "huge"
    binary.write_bytes(b"\xff\xfe\xff")
    huge.write_text("#" * 1_048_577)
    cases = [
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
        (binary, "is not UTF-8 text of at most 1 MiB"),
        (huge, "is not UTF-8 text of at most 1 MiB"),
    ]
    for path, message in cases:
        with pytest.raises(ConfigurationError) as caught:
            load(path, {}, Overrides(), dialects=dialects)
        assert str(caught.value) == f"{path}: {message}"


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    """Editors of other systems put one first."""
    path = tmp_path / "bom"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_text(str(path)) == "a: 1"


def test_secrets_from_files(load_text: LoadText, tmp_path: Path) -> None:
    """A mounted secret is read, less its last line break."""
    (tmp_path / "key").write_text("file-key\n")
    text = f"providers: {{a: {{dialect: openai, base_url: 'http://h', api_key: 'file:{tmp_path}/key'}}}}"
    assert load_text(text).snapshot.providers[0].headers == (("authorization", "Bearer file-key"),)


def test_numbers_and_truth_values_from_variables(load_text: LoadText) -> None:
    """A reference gives text, which a setting reads as its own kind."""
    text = """\
server: {port: ${P}, drain_seconds: ${D:-2.5}}
providers: {a: {dialect: openai, base_url: "http://h", verify_tls: ${V}}}
"""
    compiled = load_text(text, environment={"P": "81", "V": "false"})
    assert (compiled.server.port, compiled.snapshot.drain_seconds) == (81, 2.5)
    assert compiled.snapshot.providers[0].verify_tls is False


def test_files_that_settings_name_must_be_readable(problems_of: Problems, tmp_path: Path) -> None:
    """Certificates are missed when the configuration is checked, not when the first request comes."""
    (tmp_path / "der").write_bytes(b"\xff\x00")
    text = f"""\
server:
  tls:
    certificate: {tmp_path}/none
    key: {tmp_path}/der
providers: {{a: {{dialect: openai, base_url: "http://h", ca_file: {tmp_path}/gone}}}}
"""
    assert problems_of(text) == [
        f"3: server.tls.certificate: cannot read {tmp_path}/none: No such file or directory",
        f"4: server.tls.key: {tmp_path}/der is no PEM file",
        f"5: providers.a.ca_file: cannot read {tmp_path}/gone: No such file or directory",
    ]


def test_proxy_variables_are_checked(problems_of: Problems) -> None:
    """A proxy we cannot speak to is named, with the ways out."""
    text = "providers: {a: {dialect: openai, base_url: 'https://h'}}"
    assert problems_of(text, environment={"ALL_PROXY": "socks5://user:hunter2@p"}) == [
        "environment: ALL_PROXY: must be an http:// proxy: SOCKS and https:// proxies are not supported;"
        " set proxy: none for providers.a, or except its host in NO_PROXY"
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.7"])
def test_a_gateway_in_front_of_itself_is_refused(problems_of: Problems, host: str) -> None:
    """A client's OPENAI_BASE_URL in the gateway's own environment would send it in circles."""
    environment = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"http://{host}:8080/v1"}
    assert problems_of("server: {host: 10.0.0.7}", environment=environment) == [
        "environment: OPENAI_BASE_URL: is the address this gateway itself listens on"
    ]


def test_no_deployment_may_be_the_gateway_itself(problems_of: Callable[..., list[str]]) -> None:
    """It is told where its address stands: its own, or its provider's."""
    text = """\
server: {port: 8080}
providers:
  llama.cpp: {api_keys: [a, b]}
  a:
    dialect: openai
    base_url: http://a.example
    deployments:
      - {name: one}
      - {name: two, base_url: "http://localhost:8080/v1"}
"""
    assert problems_of(text) == [
        "3: providers.llama.cpp.base_url: is the address this gateway itself listens on",
        "9: providers.a.deployments[1].base_url: is the address this gateway itself listens on",
    ]


def test_loading_again_gives_the_same(load_text: LoadText) -> None:
    """Nothing is kept between two loads, and the environment given is not touched."""
    environment = {"OPENAI_API_KEY": "k", "PROXY_TOKEN": "lan-token-1234"}
    before = dict(environment)
    first = load_text("server: {port: 1}", environment=environment)
    assert load_text("server: {port: 1}", environment=environment) == first
    assert environment == before


def test_demo_settings(dialects: Dialects) -> None:
    """The demo stands on its own: three dialects of one mock, one token, whatever else is in the environment."""
    overrides = Overrides(demo=Demo("http://127.0.0.1:9/v1", "demo-token-1234"))
    settings = load(None, {"OPENAI_API_KEY": "k"}, overrides, dialects=dialects).settings
    assert [*settings.providers] == ["mock", "mock-anthropic", "mock-gemini"]
    assert [one.token.get_secret_value() for one in settings.tokens] == ["demo-token-1234"]


def test_the_example_file_works(dialects: Dialects) -> None:
    """config.example.yaml is valid once its variables are set, and names each that is not."""
    example = Path(__file__).parents[2] / "config.example.yaml"
    names = ("MANAGEMENT_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LAPTOP_TOKEN", "BATCH_TOKEN")
    compiled = load(example, {name: f"value-of-{name}" for name in names}, Overrides(), dialects=dialects)
    assert [provider.name for provider in compiled.snapshot.providers] == ["openai", "anthropic", "local"]
    with pytest.raises(ConfigurationError) as caught:
        load(example, {}, Overrides(), dialects=dialects)
    assert [name for name in names if f"variable {name} is not set" in str(caught.value)] == [*names]


def test_plugins_must_be_installed_once(problems_of: Problems) -> None:
    """A name that no package has, or two have, is told with its place, before any worker tries to load it."""
    assert problems_of("plugins: [a, nope, double]") == [
        "1: plugins[1]: no installed package has the plugin 'nope'; installed: a, audit, b, double, redaction",
        "1: plugins[2]: 2 installed packages have a plugin 'double'; remove all but one",
    ]


def test_without_any_plugin_installed_that_is_said(tmp_path: Path, dialects: Dialects) -> None:
    """Instead of an empty list; the packages that really are installed bring none."""
    path = tmp_path / "sluicegate.yaml"
    path.write_text("plugins: [redaction]")
    with pytest.raises(ConfigurationError, match=r"plugins\[0\]: .*'redaction'; installed: there are none"):
        load(path, {}, Overrides(), dialects=dialects)
