"""The schema's defaults are the snapshot's, and its values keep their secrets."""

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from sluicegate.config.schema import Limits, LimitSettings, ProviderSettings, ProviderTimeouts, Settings, TokenSettings
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


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({"metric": "usd", "maximum": 12.5}, 12_500_000_000),
        ({"metric": "usd", "maximum": 3}, 3_000_000_000),
        ({"metric": "usd", "maximum": "0.000000001"}, 1),
        ({"metric": "tokens", "maximum": 0}, 0),
        ({"metric": "requests", "maximum": "100"}, 100),
        ({"metric": "concurrency", "maximum": 4, "window": "lifetime"}, 4),
    ],
)
def test_a_maximum_has_the_unit_of_its_metric(fields: dict[str, object], amount: int) -> None:
    """Dollars of usd, which are kept as nano-dollars, and whole numbers of the rest."""
    assert LimitSettings.model_validate({"window": "day", **fields}).amount() == amount


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"maximum": 1.5}, "no whole number"),
        ({"maximum": -1}, "no whole number"),
        ({"maximum": 2**53}, "no whole number"),
        ({"maximum": "²"}, "no whole number"),
        ({"maximum": True}, "must be a number"),
        ({"metric": "usd", "maximum": -1}, "amount of dollars"),
        ({"metric": "concurrency"}, "its window is lifetime"),
        ({"window": "month@Europe/Atlantis"}, "zone"),
        ({"window": "5"}, "must be a number of seconds"),
    ],
)
def test_what_is_no_limit_is_refused(fields: dict[str, object], message: str) -> None:
    """In words that say what is wrong."""
    with pytest.raises(ValidationError, match=message):
        LimitSettings.model_validate({"metric": "tokens", "window": "day", "maximum": 1, **fields})
