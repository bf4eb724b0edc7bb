"""Columns in a file: what is written is read, by every process, and damage is seen."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gis.columns import map_columns, write_columns
from gis.errors import ColumnsError

numbers = arrays.arrays(
    st.sampled_from([np.int32, np.int64, np.uint64, np.float64, np.uint8]),
    arrays.array_shapes(max_dims=2, min_side=0),
)
texts = st.lists(st.text(max_size=20), max_size=20).map(
    lambda held: pa.array(held, pa.large_string())
)
names = st.text(min_size=1, max_size=10)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, numbers | texts, min_size=1), st.dictionaries(names, st.integers()))
def test_what_is_written_is_read(tmp_path: Path, columns, facts) -> None:
    facts = {f"fact {name}": value for name, value in facts.items()}
    write_columns(tmp_path / "file", columns, facts)
    back, about = map_columns(tmp_path / "file")
    assert back.keys() == columns.keys()
    for name, column in columns.items():
        if isinstance(column, np.ndarray):
            assert back[name].dtype == column.dtype
            np.testing.assert_array_equal(back[name], column)
        else:
            assert back[name].to_pylist() == column.to_pylist()
    assert facts.items() <= about.items()


def test_nobody_writes_to_mapped_columns(tmp_path: Path) -> None:
    write_columns(tmp_path / "file", {"a": np.arange(5)}, {})
    columns, _ = map_columns(tmp_path / "file")
    with pytest.raises(ValueError, match="read-only"):
        columns["a"][0] = 1


def test_a_changed_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_columns(
        path, {"a": np.arange(1000), "b": pa.array(["春晖街"] * 99, pa.large_string())}, {}
    )
    whole = path.read_bytes()
    for sought in (np.arange(500, 501).tobytes(), "晖".encode()):
        at = whole.rindex(sought)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ColumnsError, match="damaged"):
            map_columns(path)


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"something else" * 100])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ColumnsError, match="no file of columns"):
        map_columns(path)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_columns(path, {"a": np.arange(1000)}, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ColumnsError):
        map_columns(path)
