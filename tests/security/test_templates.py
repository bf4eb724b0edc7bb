"""Attack: names that are templates.

The library that draws maps takes what they say for templates and runs it. A grid that was called
``{{ lipsum.__globals__.os.popen(…) }}`` and published, or a pond of that name in a public extract,
ran a program on the server for whoever opened the residents' map; one called ``{{`` was a 500.
"""

import html
from collections.abc import Iterator
from pathlib import Path

import folium
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.demo import DEMO_LOGIN, DEMO_PASSWORD
from data.database import Database
from data.settings import DEMO_COUNTY, Settings
from maps.city_map import MapRequest, city_map
from maps.labels import Legend, Line, Tip, labels, layer
from maps.page import LocalMap, finished_page
from maps.texts import texts
from tests.planted import plant

RUN, BROKEN = "Q{{7*7}}Q", "{{ {% {# }"
PAGES = ("/maps/card", "/maps/planner", "/maps/coverage", "/card", "/planner", "/dispatch")


@pytest.fixture(params=[RUN, BROKEN])
def web(request, city: Database, city_settings: Settings) -> Iterator[TestClient]:
    plant(city, request.param, request.param)
    with TestClient(create_app(city_settings, city)) as client:
        client.planted = request.param
        client.post("/login", data={"login": DEMO_LOGIN, "password": DEMO_PASSWORD})
        yield client


def test_no_name_runs_as_a_template(web: TestClient) -> None:
    for path in PAGES:
        answer = web.get(path)
        assert answer.status_code == 200, path
        assert "Q49Q" not in answer.text, path
        if path.startswith("/maps/"):
            assert web.planted in html.unescape(answer.text), path


def test_no_name_runs_in_a_map_that_is_a_file(city: Database) -> None:
    for name in (RUN, BROKEN):
        plant(city, name, name)
        with city.session() as session:
            page = city_map(session, DEMO_COUNTY, MapRequest(texts("zh"), inline=True))
        assert "Q49Q" not in page.html
        assert name in page.html


@pytest.mark.parametrize("name", [RUN, BROKEN, "{{ this.get_root() }}", "{% include x %}"])
def test_every_way_onto_a_map_takes_text(name: str) -> None:
    view, line = LocalMap(), [Line(name, href=f"/{name}")]
    group = layer(view, name)
    folium.Marker((1, 2), icon=folium.DivIcon(html=name)).add_to(group).add_child(Tip(line, line))
    place = {"type": "Point", "coordinates": [1, 2]}
    feature = {"type": "Feature", "geometry": place, "properties": labels(line) | {"name": name}}
    folium.GeoJson({"type": "FeatureCollection", "features": [feature]}).add_to(group)
    folium.LayerControl().add_to(view)
    view.add_child(Legend(line, texts("zh")))
    page = finished_page(view, texts("zh"), name, inline=False).html
    assert page.count(name) + page.count(html.escape(name)) >= 6
    assert "Q49Q" not in page


def test_a_map_is_drawn_verbatim_however_it_is_saved(tmp_path: Path) -> None:
    view = LocalMap()
    layer(view, RUN)
    folium.LayerControl().add_to(view)
    view.save(tmp_path / "map.html")
    assert RUN in (tmp_path / "map.html").read_text("utf-8")
