"""The table of retention rules, and what a setting may make of it."""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data.models import Base
from data.retention.rules import (
    AUDIT_LOG,
    AUDIT_READS,
    KEPT,
    RULES,
    STANDING,
    checked_periods,
    kept_elsewhere,
    rule_named,
)
from data.retention.sweeping import SWEEPS
from data.settings import Settings, unknown_settings


def test_every_table_stands_in_exactly_one_list() -> None:
    named = [
        *(table for rule in RULES for table in rule.tables),
        *(table for one in STANDING for table in one.tables),
        *(table for tables in KEPT.values() for table in tables),
    ]
    assert [table for table, count in Counter(named).items() if count > 1] == []
    assert {table for table in named if "." not in table} == set(Base.metadata.tables)


def test_every_rule_says_what_and_why_in_both_languages() -> None:
    for rule in RULES:
        assert rule.days >= rule.least_days, rule.name
        assert all((rule.what, rule.why))
        assert all(re.search("[\u4e00-\u9fff]", said) for said in (rule.what_zh, rule.why_zh))


def test_each_rule_has_a_job() -> None:
    by_function = {AUDIT_LOG, AUDIT_READS}
    by_files = {rule.name for rule in RULES if not rule.tables}
    assert set(SWEEPS) | by_function | by_files == {rule.name for rule in RULES}


def test_periods_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEGRID_RETENTION__NOTICES", "180")
    monkeypatch.setenv("ONEGRID_RETENTION", '{"closures": 40}')
    days = Settings().retention_days
    assert (days["notices"], days["closures"]) == (180, 40)
    assert days["audit_log"] == rule_named("audit_log").days


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [
        ("AUDIT_LOG", "183", "fewer than the 184 that must be kept (Cybersecurity Law art. 23"),
        ("AUDIT_READS", "30", "《网络安全法》第二十三条第三项"),
        ("NOTICES", "29", "fewer than the 30"),
        ("NOTICES", "-1", "fewer than the 30"),
        ("NOTICES", "40000", "a hundred years"),
        ("NOTICES", "soon", "valid integer"),
        ("NOTICE", "50", "is notices meant?"),
        ("AUDIT_READS", "2000", "set both"),
    ],
)
def test_a_period_that_may_not_be_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, days: str, said: str
) -> None:
    monkeypatch.setenv(f"ONEGRID_RETENTION__{name}", days)
    with pytest.raises(ValidationError, match=re.escape(said)):
        Settings()


def test_a_rule_in_the_environment_is_known_as_a_setting() -> None:
    assert unknown_settings(["ONEGRID_RETENTION__NOTICES"]) == {}
    # Refused, with the rules that there are: not called unused before.
    assert unknown_settings(["ONEGRID_RETENTION__NOTICE"]) == {}


@given(st.dictionaries(st.sampled_from([rule.name for rule in RULES]), st.integers(-10, 50_000)))
def test_no_setting_shortens_what_must_be_kept(given_days: dict[str, int]) -> None:
    try:
        periods = checked_periods(given_days)
    except ValueError:
        return
    assert all(periods[rule.name] >= rule.least_days for rule in RULES)
    assert periods[AUDIT_READS] <= periods[AUDIT_LOG]


def test_the_docs_say_what_the_rules_are() -> None:
    page = (Path(__file__).parents[3] / "docs" / "retention.md").read_text("utf-8")
    lines = [
        f"| `{one.name}` | {one.what} | {one.days} | {one.least_days} | {one.why} |"
        for one in RULES
    ]
    lines += [f"| {one.what} | {one.kept_for} | {one.work} |" for one in STANDING]
    lines += [
        f"| {why} | {', '.join(f'`{table}`' for table in tables)} |" for why, tables in KEPT.items()
    ]
    assert [line for line in lines if line not in page] == []


def test_below_three_years_it_is_said_that_records_must_be_kept_elsewhere() -> None:
    assert kept_elsewhere(checked_periods({})) == ""
    short = kept_elsewhere(checked_periods({"audit_log": 1095}))
    assert "1095 days" in short
    assert "PIPL art. 56" in short
    assert "第五十六条" in short
    why = rule_named("audit_log").why
    assert "six months, hence the least" in why
    assert "three years, hence the default: with fewer days they must be kept elsewhere" in why
