"""The schema's defaults are the snapshot's, and its values keep their secrets."""

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from sluicegate.config.schema import Limits, ProviderSettings, ProviderTimeouts, Settings, TokenSettings
from sluicegate.domain.snapshot import ClientBounds, Timeouts


@pytest.mark.parametrize(("section", "counterpart"), [(Limits(), ClientBounds()), (ProviderTimeouts(), Timeouts())])
def test_sections_mirror_the_snapshot(section: BaseModel, counterpart: ClientBounds | Timeouts) -> None:
    """Every field of the compiled value can be set, under the same name and with the same default."""
    compiled = {name: getattr(counterpart, name) for name in counterpart.__struct_fields__}
    assert section.model_dump() == compiled


def test_nothing_is_required() -> None:
    """An empty file is valid and listens on this machine only."""
    settings = Settings.model_validate({})
    assert (settings.server.host, settings.server.port, settings.data_dir) == ("127.0.0.1", 8080, "./data")


def test_a_setting_with_nothing_after_its_colon_is_not_set() -> None:
    """A section whose lines are all commented out takes its defaults; an unknown key is still unknown."""
    assert Settings.model_validate({"server": None, "tokens": None}) == Settings()
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Settings.model_validate({"sever": None})


def test_settings_cannot_be_changed() -> None:
    """Settings are values."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().server.port = 1


def test_reprs_keep_secrets() -> None:
    """No repr shows a key, a token, a header or a proxy."""
    provider = ProviderSettings.model_validate(
        {"dialect": "openai", "base_url": "http://h", "api_key": "hunter2"}
        | {"headers": {"x-a": "hunter2"}, "default_headers": {"x-b": "hunter2"}, "proxy": "http://u:hunter2@p"}
    )
    token = TokenSettings(name="a", token=SecretStr("hunter2hunter2"))
    settings = Settings(management_token=SecretStr("hunter2hunter2"), providers={"p": provider}, tokens=(token,))
    assert "hunter2" not in f"{settings!r} {settings}"
