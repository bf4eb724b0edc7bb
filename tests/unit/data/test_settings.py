import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from data.database import open_database
from data.errors import UnansweredError
from data.settings import Settings, unknown_settings, wrong_settings


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


def test_what_is_no_setting_is_said_with_the_one_that_may_be_meant() -> None:
    given = ["ONEGRID_COUNTY", "ONEGRID_COUNTRY", "ONEGRID_SECURE_COOKIES", "PATH", "onegrid_port"]
    unknown = {"ONEGRID_COUNTRY": "ONEGRID_COUNTY", "ONEGRID_SECURE_COOKIES": ""}
    assert unknown_settings(given) == unknown


def test_a_wrong_setting_is_one_line_and_an_exit_code() -> None:
    wrong = {"ONEGRID_PORT": "abc", "ONEGRID_PROXIES": "10.0.0.1/8", "ONEGRID_CARDS": "2"}
    command = [sys.executable, "-c", "from api.cli import main; main()", "who", "1", "2"]
    ended = subprocess.run(command, env=wrong, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    said = ended.stderr.splitlines()
    assert [line[:20] for line in said] == [
        "! ONEGRID_CARDS is n",
        "✗ ONEGRID_PORT: Inpu",
        "✗ ONEGRID_PROXIES: 1",
    ]


@pytest.mark.parametrize(
    "said",
    [
        *("", "*", "https://a.example", "*, http://localhost:8080"),
        *("http://127.0.0.1:5173", "http://[::1]:5173", "http://a.localhost"),
    ],
)
def test_sites_that_may_read_are_named_as_a_browser_says_them(said: str) -> None:
    assert ", ".join(Settings(cors_origins=said).origins) == said


@pytest.mark.parametrize(
    "said",
    [
        *("a.example", "https://a.example/", "https://A.example", "null", "https://*.example"),
        *("https://", "https://u@a.example", "ftp://a.example", "https://a.example?x"),
    ],
)
def test_what_is_no_site_is_refused(said: str) -> None:
    with pytest.raises(ValidationError, match="is no site"):
        Settings(cors_origins=said)


@pytest.mark.parametrize("said", ["http://a.example", "https://a.example, http://10.0.0.1:80"])
def test_a_site_by_plain_http_is_refused_with_its_https_address(said: str) -> None:
    site = said.rpartition("http://")[2]
    with pytest.raises(ValidationError, match=f"is plain HTTP.* name the site as https://{site};"):
        Settings(cors_origins=said)


def said_of(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> str:
    """What an operator is told of a value of the environment."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as told:
        Settings()
    (line,) = wrong_settings(told.value, os.environ)
    return line


@pytest.mark.parametrize(
    "value", ["notices=3", "", "3", "[1]", "{", "{'notices': 3}", "[" * 100_000, "9" * 5000]
)
def test_what_is_no_json_is_a_wrong_value_like_others(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    said = said_of(monkeypatch, "ONEGRID_RETENTION", value)
    assert said.startswith("ONEGRID_RETENTION: it is days by rule as JSON")
    assert "notices" in said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ONEGRID_RETENTION__NOTICES", "forever", "ONEGRID_RETENTION__NOTICES: Input should be"),
        ("ONEGRID_RETENTION", '{"notices": "x"}', "ONEGRID_RETENTION: notices: Input should be"),
        ("ONEGRID_RETENTION", '{"notice": 40}', "ONEGRID_RETENTION: 'notice' is no retention rule"),
        ("ONEGRID_OWNER_URL", "postgresql://a:b@c:d:e/x", "ONEGRID_OWNER_URL: the address of"),
        ("ONEGRID_DATABASE_URL", "nonsense=1", "ONEGRID_DATABASE_URL: the address of"),
        ("ONEGRID_HOME", "~nobody-of-this-name/x", "ONEGRID_HOME: no such place"),
        ("ONEGRID_LOG_FILE", "~nobody-of-this-name/x", "ONEGRID_LOG_FILE: no such place"),
        ("ONEGRID_PUBLIC_URL", "https://a:99999", "ONEGRID_PUBLIC_URL: Port out of range"),
        ("ONEGRID_COUNTY", "٦٦٠٤٠٠", "ONEGRID_COUNTY: String should match"),
    ],
)
def test_a_wrong_value_is_told_by_the_name_that_the_operator_wrote(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    assert said_of(monkeypatch, name, value).startswith(said)


def test_a_broken_value_ends_a_command_without_a_traceback() -> None:
    command = [sys.executable, "-c", "from api.cli import main; main()", "retention", "show"]
    wrong = {"ONEGRID_RETENTION": "notices=3"}
    ended = subprocess.run(command, env=wrong, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("✗ ONEGRID_RETENTION: ")
    assert "Traceback" not in ended.stderr


def test_the_address_that_does_not_answer_is_named() -> None:
    away = "postgresql://u@127.0.0.1:{}/d"
    settings = Settings(database_url=away.format(1), owner_url=away.format(2))
    for is_owner, name in ((True, "ONEGRID_OWNER_URL"), (False, "ONEGRID_DATABASE_URL")):
        database = open_database(settings, pooled=False, owner=is_owner)
        with pytest.raises(UnansweredError, match=f"check {name}"):
            database.require_direct()
