"""Processes tell each other their metrics, each under its own labels."""

import os
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from data.metric_files import Place, Told, merged, told_by_others


def measured(count: int) -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("asked", "How often.", ["route"], registry=registry).labels('a "b"\n').inc(count)
    Histogram("took", "How long.", buckets=(1.0,), registry=registry).observe(count)
    return registry


def samples(registry: CollectorRegistry) -> dict[tuple[str, str, str], float]:
    text = generate_latest(registry).decode()
    return {
        (one.name, one.labels["part"], one.labels["process"]): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.labels.get("le") != "1.0"
    }


def test_one_answers_for_all(tmp_path: Path) -> None:
    places = [Place(tmp_path, "web"), Place(tmp_path, "web"), Place(tmp_path, "clock")]
    for count, place in enumerate(places, 1):
        place.take()
        place.tell(measured(count))
    assert [place.process for place in places] == ["1", "2", "1"]
    assert {file.stat().st_mode & 0o077 for file in tmp_path.glob("*.json")} == {0}
    own = Told("web", "1", 0.0, list(measured(1).collect()))
    found = samples(merged([own, *told_by_others(tmp_path, places[0])]))
    assert found["asked_total", "web", "1"] == 1
    assert found["asked_total", "web", "2"] == 2
    assert found["asked_total", "clock", "1"] == 3
    assert found["took_count", "clock", "1"] == 1
    for place in places:
        place.leave()
    assert list(tmp_path.glob("*.json")) == []


def test_who_is_started_again_takes_the_place_that_is_free(tmp_path: Path) -> None:
    first, second = Place(tmp_path, "web"), Place(tmp_path, "web")
    first.take()
    second.take()
    first.leave()
    third = Place(tmp_path, "web")
    third.take()
    third.take()
    assert third.process == "1", "it is begun twice, and has one place"
    assert sorted(path.name for path in tmp_path.glob("*.lock")) == ["web-1.lock", "web-2.lock"]
    second.leave()
    third.leave()


def test_a_killed_process_is_not_told_of_for_long(tmp_path: Path) -> None:
    place = Place(tmp_path, "clock")
    place.take()
    place.tell(measured(1))
    own = Place(tmp_path, "web")
    assert [one.part for one in told_by_others(tmp_path, own)] == ["clock"]
    os.utime(tmp_path / "clock-1.json", (time.time() - 100, time.time() - 100))
    assert list(told_by_others(tmp_path, own)) == []
    (tmp_path / "clock-1.json").write_text("{", encoding="utf-8")
    assert list(told_by_others(tmp_path, own)) == []
    place.leave()
