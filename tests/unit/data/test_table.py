import gzip
from pathlib import Path

import openpyxl
import pytest

from data.conversions import reading
from data.errors import SourceError
from data.readers import read_table, read_vector

ROWS = "姓名,电话\n王芳,0990-1\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_is_read_in_either_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "staff.csv"
    path.write_bytes(ROWS.encode(encoding))
    assert read_table(path).rows == [{"姓名": "王芳", "电话": "0990-1"}]


def test_a_packed_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "staff.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode()))
    assert read_table(path).rows[0]["姓名"] == "王芳"


def test_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["户数", "备注"])
    book.active.append([12, None])
    book.save(tmp_path / "units.xlsx")
    assert read_table(tmp_path / "units.xlsx").rows == [{"户数": "12", "备注": ""}]


def test_columns_are_renamed_as_told(tmp_path: Path) -> None:
    path = tmp_path / "staff.csv"
    path.write_text(ROWS, encoding="utf-8")
    assert read_table(path, {"电话": "duty_phone"}).rows == [
        {"姓名": "王芳", "duty_phone": "0990-1"}
    ]


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff\x80\x80"])
def test_what_is_no_table_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.csv"):
        read_table(path)


def test_a_broken_workbook_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.xlsx"
    path.write_bytes(b"no zip")
    with pytest.raises(SourceError, match=r"broken\.xlsx"):
        read_table(path)


@pytest.mark.parametrize("read", [read_table, read_vector])
def test_a_missing_file_is_named(tmp_path: Path, read) -> None:
    with pytest.raises(SourceError, match="no file"):
        read(tmp_path / "none.csv")


def test_what_is_no_vector_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.gpkg"
    path.write_text("no layer here")
    with pytest.raises(SourceError, match=r"notes\.gpkg"):
        read_vector(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("ahead", range(8))
def test_an_encoding_is_told_wherever_the_beginning_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, ahead: int
) -> None:
    monkeypatch.setattr(reading, "_SNIFF", 64)
    path = tmp_path / "table.csv"
    words = "x" * ahead + "地址\n" + "春水路8号\n" * 40
    path.write_bytes(words.encode(encoding))
    (chunk,) = reading.read_source(path).chunks(100)
    assert chunk.table.column(0).to_pylist() == ["春水路8号"] * 40
