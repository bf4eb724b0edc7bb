from pathlib import Path

from data.importing.report import ImportReport


def test_refused_rows_come_back_with_reason_and_values(tmp_path: Path) -> None:
    report = ImportReport("a.csv", read=2, stored=1)
    report.refuse(2, "lon is missing", {"编号": "7", "备注": "=1+1"})
    report.write_refused(tmp_path / "a.refused.csv")
    lines = (tmp_path / "a.refused.csv").read_text("utf-8-sig").splitlines()
    assert lines == ["row,reason,编号,备注", "2,lon is missing,7,'=1+1"]
