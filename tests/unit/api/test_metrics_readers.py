"""Who may read the metrics."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api.app import create_app
from api.exposure import require_public_address
from data.database import Database
from data.errors import ExposedError
from data.settings import Settings

KEY = "a-long-and-random-key"


def asked(home: Path, metrics: str, client: str = "127.0.0.1", **headers: str) -> int:
    settings = Settings(
        home=home, metrics=metrics, public_url="https://grid.example.cn", proxies="10.0.0.1"
    )
    app = create_app(settings, Database.at("postgresql+psycopg://nobody@localhost:1/none"))
    web = TestClient(app, base_url="http://localhost", client=(client, 5000))
    return web.get("/metrics", headers=headers).status_code


def test_nobody_reads_them_unless_it_is_set(tmp_path: Path) -> None:
    assert asked(tmp_path, "off") == 404
    assert asked(tmp_path, "off", authorization="Bearer off") == 404


def test_local_is_this_machine_and_no_proxy(tmp_path: Path) -> None:
    assert asked(tmp_path, "local") == 200
    assert asked(tmp_path, "local", client="::1") == 200
    assert asked(tmp_path, "local", client="10.0.0.9") == 404
    assert asked(tmp_path, "local", client="testclient") == 404
    assert asked(tmp_path, "local", **{"x-forwarded-for": "127.0.0.1"}) == 404
    assert asked(tmp_path, "local", client="10.0.0.1", **{"x-forwarded-for": "127.0.0.1"}) == 404
    assert asked(tmp_path, "local", host="grid.example.cn") == 404


def test_a_key_opens_them_from_anywhere(tmp_path: Path) -> None:
    keys = f"watch:{KEY},other:{KEY}2"
    assert asked(tmp_path, keys, "10.0.0.9", authorization=f"Bearer {KEY}") == 200
    assert asked(tmp_path, keys, "10.0.0.9", authorization=f"bearer {KEY}2") == 200
    for said in ("", KEY, f"Basic {KEY}", f"Bearer {KEY}3", "Bearer ", "Bearer watch"):
        assert asked(tmp_path, keys, authorization=said) == 401, said


@pytest.mark.parametrize("metrics", ["on", "", "watch:short", f"a:{KEY},b", f"a:{KEY},b:short"])
def test_a_setting_that_opens_too_much_is_refused(metrics: str) -> None:
    with pytest.raises(ValidationError, match="metrics"):
        Settings(metrics=metrics)


def test_local_is_refused_where_a_proxy_of_this_machine_may_ask() -> None:
    settings = Settings(metrics="local", public_url="https://grid.example.cn")
    with pytest.raises(ExposedError, match="ONEGRID_METRICS"):
        require_public_address(settings, insecure=False)
