"""Who decides how long the audit logs are kept: a server's start and one command, nobody else."""

import json

import pytest
from sqlalchemy import text

from api.cli.serving import _keep_periods
from data.database import Database
from data.log import OWN
from data.retention.logs import set_periods
from data.settings import Settings

SHORT = {"audit_log": 400, "audit_reads": 200}


@pytest.fixture
def short(city: Database, city_settings: Settings) -> Settings:
    """A server that has started with short periods; the shell beside it knows of none."""
    settings = city_settings.model_copy(update={"retention": SHORT})
    with city.session() as session:
        set_periods(session, settings.county, settings.retention_days)
    return settings


def held(city: Database) -> dict[str, int]:
    with city.engine.connect() as connection:
        rows = connection.execute(text("SELECT log, days FROM audit.period"))
        return {row.log: row.days for row in rows}


def changes(city: Database) -> int:
    query = "SELECT count(*) FROM audit_log WHERE action = 'retention.period'"
    with city.engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


@pytest.mark.usefixtures("short")
def test_a_shell_without_the_variables_changes_nothing(onegrid, city: Database) -> None:
    before = changes(city)
    said = onegrid("retention", "show")
    assert "! the database keeps it for 400 days, and that counts; 1096 is what" in said
    assert "audit_log: 400 days are fewer than three years (1096 days)" in said
    onegrid("db", "migrate")
    onegrid("retention", "run", "audit_log")
    with city.engine.connect() as connection:
        noted = "SELECT days FROM retention_run WHERE rule = 'audit_log' ORDER BY id DESC LIMIT 1"
        assert connection.execute(text(noted)).scalar() == 400
    rules = {
        one["name"]: one for one in json.loads(onegrid("retention", "show", "--json"))["rules"]
    }
    assert (rules["audit_log"]["days"], rules["audit_log"]["held_days"]) == (1096, 400)
    assert (held(city), changes(city)) == (SHORT, before)


@pytest.mark.usefixtures("short")
def test_a_command_sets_what_the_shell_says(onegrid, city: Database, monkeypatch) -> None:
    monkeypatch.setenv("ONEGRID_RETENTION__AUDIT_LOG", "500")
    said = onegrid("retention", "apply")
    assert "audit_log: 500 days, set" in said
    assert "must be kept elsewhere" in said
    assert held(city) == {"audit_log": 500, "audit_reads": 366}
    assert "audit_log: 500 days, as it was" in onegrid("retention", "apply")
    monkeypatch.delenv("ONEGRID_RETENTION__AUDIT_LOG")
    assert "elsewhere" not in onegrid("retention", "apply")


def test_a_start_of_the_server_sets_them_and_says_what_must_be_kept_elsewhere(
    city: Database, city_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings = city_settings.model_copy(update={"retention": SHORT})
    _keep_periods(settings, city)
    assert held(city) == SHORT
    (line,) = [one for one in caplog.records if one.name == OWN and one.levelname == "WARNING"]
    assert "must be kept elsewhere" in line.message
    assert line.days == 400
