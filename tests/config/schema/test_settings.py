"""The file as a whole."""

from pydantic import SecretStr

from sluicegate.config.schema.providers import ProviderSettings
from sluicegate.config.schema.settings import Settings, TokenSettings


def test_nothing_is_required() -> None:
    """An empty file is valid and listens on this machine only."""
    settings = Settings.model_validate({})
    assert (settings.server.host, settings.server.port, settings.data_dir) == ("127.0.0.1", 8080, "./data")


def test_reprs_keep_secrets() -> None:
    """No repr shows a key, a token, a header or a proxy."""
    provider = ProviderSettings.model_validate(
        {"dialect": "openai", "base_url": "http://h", "api_key": "hunter2"}
        | {"headers": {"x-a": "hunter2"}, "default_headers": {"x-b": "hunter2"}, "proxy": "http://u:hunter2@p"}
    )
    token = TokenSettings(name="a", token=SecretStr("hunter2hunter2"))
    settings = Settings(management_token=SecretStr("hunter2hunter2"), providers={"p": provider}, tokens=(token,))
    assert "hunter2" not in f"{settings!r} {settings}"


def test_the_database_is_a_file_unless_named() -> None:
    """Not set, it is SQLite in the data directory."""
    assert Settings().database_url == "sqlite"
    assert Settings(database=SecretStr("sqlite:///x.db")).database_url == "sqlite:///x.db"
