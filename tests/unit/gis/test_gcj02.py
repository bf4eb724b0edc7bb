import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.gcj02 import bd09_to_gcj02, gcj02_to_bd09, gcj02_to_wgs84, wgs84_to_gcj02

CHINA = (st.floats(74, 134), st.floats(18, 53))


@given(*CHINA)
def test_gcj02_comes_back_to_a_tenth_of_a_millimetre(lon: float, lat: float) -> None:
    back = gcj02_to_wgs84(*wgs84_to_gcj02([lon], [lat]))
    assert np.abs(np.array(back).ravel() - [lon, lat]).max() < 1e-9


@given(*CHINA)
def test_bd09_comes_back_to_a_tenth_of_a_millimetre(lon: float, lat: float) -> None:
    back = bd09_to_gcj02(*gcj02_to_bd09([lon], [lat]))
    assert np.abs(np.array(back).ravel() - [lon, lat]).max() < 1e-9


@given(*CHINA)
def test_the_shift_is_some_hundreds_of_metres(lon: float, lat: float) -> None:
    x, y = wgs84_to_gcj02([lon], [lat])
    shift_m = np.hypot((x[0] - lon) * np.cos(np.radians(lat)), y[0] - lat) * 111_195
    assert shift_m < 1000


def test_outside_china_nothing_is_shifted() -> None:
    x, y = wgs84_to_gcj02([14.5, -9.1], [35.9, 38.7])
    assert x.tolist() == [14.5, -9.1]
    assert y.tolist() == [35.9, 38.7]


def test_published_pairs_are_met() -> None:
    # Tiananmen's flagpole, as the map services give it.
    lon, lat = wgs84_to_gcj02([116.39127], [39.90640])
    assert (lon[0], lat[0]) == pytest.approx((116.39751, 39.90780), abs=2e-5)
