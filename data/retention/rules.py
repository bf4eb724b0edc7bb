"""The table of retention rules: what is kept how long, the least that law allows, and why.

Every table of the database stands in exactly one of three lists: `RULES` (deleted by age, the
period is a setting), `STANDING` (deleted elsewhere, after a period that is no setting) and `KEPT`
(never deleted by age).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "AUDIT_LOG",
    "AUDIT_READS",
    "KEPT",
    "LEAST_LOG_DAYS",
    "RECORDS_DAYS",
    "RULES",
    "STANDING",
    "Rule",
    "Standing",
    "checked_periods",
    "kept_elsewhere",
    "rule_named",
]

# Six months at their longest.
LEAST_LOG_DAYS = 184
# Three years at their longest.
RECORDS_DAYS = 1096
AUDIT_LOG, AUDIT_READS = "audit_log", "audit_reads"
_MOST_DAYS = 36_525
_PIPL_EN = "PIPL art. 19: no longer than the purpose needs"
_PIPL_ZH = "《个人信息保护法》第十九条：保存期限为实现处理目的所必要的最短时间"
# Art. 21 (3) until the amendment that holds from 2026-01-01 inserted two articles before it.
_LOGS_EN = "Cybersecurity Law art. 23 (3): logs of the network at least six months"
_LOGS_ZH = "《网络安全法》第二十三条第三项：相关的网络日志留存不少于六个月"
_RECORDS_EN = "PIPL art. 56: records of processing at least three years"
_RECORDS_ZH = "《个人信息保护法》第五十六条：处理情况记录至少保存三年"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of record that is deleted by its age.

    Attributes
    ----------
    name : str
        As in ``ONEGRID_RETENTION__<NAME>`` and ``onegrid retention run <name>``.
    days : int
        How long records are kept by default.
    least_days : int
        Fewer are refused.
    tables : tuple of str
        Tables that it deletes from; none for files.
    what, what_zh : str
        What is deleted, and from when its age counts.
    why, why_zh : str
        Law or purpose; also why fewer days than `least_days` are refused.
    """

    name: str
    days: int
    least_days: int
    tables: tuple[str, ...]
    what: str
    what_zh: str
    why: str
    why_zh: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Records that other work deletes, after a period that is no setting.

    Attributes
    ----------
    kept_for : str
        How long they are kept.
    work : str
        What deletes them: periodic work of `api.clock`, or the act that ends them.
    """

    tables: tuple[str, ...]
    what: str
    kept_for: str
    work: str


RULES = (
    Rule(
        "notices",
        365,
        30,
        ("outbox",),
        "notices that were sent, seen or given up, from when they were written",
        "已发送、已读或放弃发送的通知，自写入起算",
        f"{_PIPL_EN}; who was told what can be asked for a year",
        f"{_PIPL_ZH}；一年内可查通知情况",
    ),
    Rule(
        "failed_jobs",
        30,
        1,
        ("jobs.procrastinate_jobs", "jobs.procrastinate_events"),
        "jobs of the queue that have ended, from their last event",
        "队列中已结束的任务，自最后事件起算",
        "only for finding the fault",
        "仅用于排查故障",
    ),
    Rule(
        "draft_tables",
        90,
        1,
        ("draft_community", "draft_grid", "draft_former", "draft_block"),
        "drawn tables of drafts that were published or discarded, from that moment",
        "已发布或已废弃草案的绘制数据，自发布或废弃起算",
        "they follow from the edits, which stay; the published plan holds the result",
        "可由编辑记录重现，编辑记录与已发布方案另行保存",
    ),
    Rule(
        "closures",
        365,
        1,
        ("closure",),
        "road closures, from their end",
        "道路封闭，自结束起算",
        "travel times that dispatches relied on can be explained for a year",
        "一年内可解释派单所依据的行程时间",
    ),
    Rule(
        "devices",
        30,
        1,
        ("device",),
        "tokens of devices, from when they were disabled",
        "设备令牌，自停用起算",
        _PIPL_EN,
        _PIPL_ZH,
    ),
    Rule(
        "counts",
        1,
        1,
        ("asked",),
        "counts of what strangers asked for, from when they no longer count",
        "公众查询的次数，自失效起算",
        _PIPL_EN,
        _PIPL_ZH,
    ),
    Rule(
        "left_files",
        30,
        1,
        (),
        "files of jobs and partitions that no record names, from their last change",
        "没有对应记录的任务文件与划分中间文件，自最后修改起算",
        "left by programs that were killed",
        "程序异常终止的遗留",
    ),
    Rule(
        AUDIT_READS,
        366,
        LEAST_LOG_DAYS,
        ("audit_read",),
        "who looked at what, in whole batches",
        "查看记录（谁查看了什么），同一批写入的记录一起删除",
        f"{_LOGS_EN}; {_PIPL_EN}",
        f"{_LOGS_ZH}；{_PIPL_ZH}",
    ),
    Rule(
        AUDIT_LOG,
        RECORDS_DAYS,
        LEAST_LOG_DAYS,
        ("audit_log",),
        "who changed what, from the chain's old end, with the kept heads of that time",
        "操作记录（谁修改了什么），从审计链最早的一端删除，连同当时留存的哈希",
        f"{_LOGS_EN}, hence the least; {_RECORDS_EN}, hence the default: with fewer days they "
        "must be kept elsewhere",
        f"{_LOGS_ZH}，故为下限；{_RECORDS_ZH}，故为默认值；天数更少时须另行保存",
    ),
    Rule(
        "retention_runs",
        1096,
        LEAST_LOG_DAYS,
        ("retention_run",),
        "what was deleted when, from the end of each run",
        "删除记录（何时删除了什么），自每次执行结束起算",
        f"proof of deletion (PIPL art. 47); {_LOGS_EN}",
        f"证明已履行删除义务（《个人信息保护法》第四十七条）；{_LOGS_ZH}",
    ),
)

STANDING = (
    Standing(
        ("session",), "sessions", "8 h, or 30 min without a request", "sessions, every 10 min"
    ),
    Standing(
        ("position",), "latest positions of staff on duty", "15 min", "positions, every minute"
    ),
    Standing(("assign_job",), "uploaded tables and their results", "24 h", "jobs, every hour"),
    Standing((), "work folders of converters that were killed", "1 h", "jobs, every hour"),
    Standing(("recovery_code",), "recovery codes", "until they are used", "the sign-in"),
    Standing(("reporter",), "whom to call back", "until the case ends", "the case's last step"),
)

# Why tables stay whatever their age.
KEPT: Mapping[str, tuple[str, ...]] = {
    "case files (档案法, 信访工作条例): the archive says how long, no rule of this table": (
        "incident", "incident_event", "assignment", "dispatch", "deadline", "whistle", "follow_up",
        "attachment",
    ),
    "the plan and its history: every answer can be asked as of a time": (
        "generation", "edit", "checkpoint", "review_step", "draft_note", "grid", "grid_block",
        "grid_cell", "lineage", "micro_grid", "micro_grid_building",
    ),
    "who answered for what at a time": (
        "person", "unit", "service_area", "leave", "duty_roster", "responsibility",
        "responsibility_change", "membership",
    ),
    "one row for each thing of the present; imports replace them": (
        "division", "zone", "street", "water", "railway", "building", "block", "address",
        "place_alias", "household_unit", "door_sign", "road_speed",
    ),
    "accounts are what entries of the log name": ("account", "role_grant"),
    "rules and settings": (
        "profile", "incident_class", "duty_list", "flow", "flow_choice", "calendar",
        "calendar_day", "deadline_rule", "responsibility_rule", "role", "team", "card_layout",
        "notice_channel",
    ),
    "one row a county": (
        "address_version", "directory_version", "road_version", "server_key", "tick",
    ),
}  # fmt: skip


def rule_named(name: str) -> Rule:
    """The rule of a name.

    Raises
    ------
    ValueError
        If there is none; says which is most like it.
    """
    for rule in RULES:
        if rule.name == name:
            return rule
    names = [rule.name for rule in RULES]
    alike = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"is {alike[0]} meant? " if alike else ""
    raise ValueError(f"{name[:40]!r} is no retention rule: {hint}rules are {', '.join(names)}")


def checked_periods(given: Mapping[str, int]) -> dict[str, int]:
    """Days by rule: those given, the defaults for all others.

    Raises
    ------
    ValueError
        If a rule is unknown, a period is shorter than may be, or reads would outlive the seals in
        the log that prove them.
    """
    for name, days in given.items():
        rule = rule_named(name)
        if days < rule.least_days:
            raise ValueError(
                f"{name}: {days} days are fewer than the {rule.least_days} that must be kept "
                f"({rule.why} · {rule.why_zh})"
            )
        if days > _MOST_DAYS:
            raise ValueError(f"{name}: {days} days are more than {_MOST_DAYS}, a hundred years")
    periods = {rule.name: rule.days for rule in RULES} | dict(given)
    if periods[AUDIT_READS] > periods[AUDIT_LOG]:
        raise ValueError(
            f"{AUDIT_READS}: {periods[AUDIT_READS]} days are more than the {periods[AUDIT_LOG]} of "
            f"{AUDIT_LOG}, whose entries prove the reads: set both"
        )
    return periods


def kept_elsewhere(periods: Mapping[str, int]) -> str:
    """What law asks to keep for longer than the audit log is kept; ``""`` where it asks no more.

    Parameters
    ----------
    periods : mapping of str to int
        Days by rule; those of the audit log are read.

    Examples
    --------
    >>> kept_elsewhere({"audit_log": 1096})
    ''
    >>> kept_elsewhere({"audit_log": 400})[:49]
    'audit_log: 400 days are fewer than three years (1'
    """
    days = periods[AUDIT_LOG]
    if days >= RECORDS_DAYS:
        return ""
    return (
        f"{AUDIT_LOG}: {days} days are fewer than three years ({RECORDS_DAYS} days): the records "
        f"that PIPL art. 56 asks for must be kept elsewhere · 少于三年时，{_RECORDS_ZH}，须另行保存"
    )
