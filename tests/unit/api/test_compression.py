"""Which encoding a client likes best."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.compression import preferred_encoding

NAMES = ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("br;q=0.5, zstd;q=0.501", "zstd"),
        ("GZIP", "gzip"),
        ("gzip ; q=0.5", "gzip"),
        ("gzip;Q=0.5", "gzip"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "br"),
        ("br;q=0, *;q=0", ""),
        ("identity", ""),
        ("identity;q=1, br;q=0.5", ""),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("deflate", ""),
        ("x-gzip", ""),
        ("", ""),
        ("br;q=nan, gzip", "gzip"),
        ("br;q=2, gzip", "gzip"),
        ("br;level=4", ""),
        (";q=1", ""),
        (", ,gzip", "gzip"),
    ],
)
def test_the_heaviest_is_chosen(said: str, chosen: str) -> None:
    assert preferred_encoding(said) == chosen


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 1000), min_size=1))
def test_no_other_is_heavier_than_the_chosen(weights: dict[str, int]) -> None:
    said = ", ".join(f"{name};q={weight / 1000:.3f}" for name, weight in weights.items())
    chosen = preferred_encoding(said)
    heaviest = max(weights.values())
    assert weights.get(chosen, 0) == heaviest if chosen else heaviest == 0


@given(st.text(max_size=300))
def test_nothing_that_is_said_fails(said: str) -> None:
    assert preferred_encoding(said) in {"", *NAMES}
