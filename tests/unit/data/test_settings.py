import pytest
from pydantic import ValidationError

from data.settings import Settings


def test_settings_come_from_one_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEGRID_COUNTY", "150523")
    monkeypatch.setenv("ONEGRID_PORT", "9000")
    settings = Settings()
    assert (settings.county, settings.port) == ("150523", 9000)
    assert settings.home.is_absolute()


def test_a_wrong_county_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEGRID_COUNTY", "Tongliao")
    with pytest.raises(ValidationError, match="county"):
        Settings()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1
