"""Who may use which way, and how fast: rules that are data (``rules.json``), not code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from routing.errors import NetworkError
from routing.network import MODES

__all__ = ["Rules"]

Tags = Mapping[str, str]
_YES, _BACK = {"yes", "1", "true"}, {"-1", "reverse"}
_MPH = 1.609344
_DEFAULTS = Path(__file__).with_name("rules.json")


@dataclass(frozen=True)
class Rules:
    """Access, one-ways, turn restrictions and speeds by mode.

    Attributes
    ----------
    data : mapping
        As in ``rules.json``: for each mode its access and one-way keys from the general to the
        special, and km/h by road class; words that close and open; km/h of limits with names.
    place : str
        Division code; the longest of ``data["places"]`` that begins it changes classes' km/h.
    """

    data: Mapping[str, Any]
    place: str = ""

    @classmethod
    def read(cls, path: Path | None = None, place: str = "") -> "Rules":
        """Read a file of rules; those of this project by default.

        Raises
        ------
        NetworkError
            If the file is no JSON or lacks a mode or a part.
        """
        source = path or _DEFAULTS
        try:
            data = json.loads(source.read_text(encoding="utf-8"))
            wanted = [data[part] for part in ("closed", "open", "limits_kph", "share_of_limit")]
            wanted += [data["modes"][mode]["kph"] for mode in MODES]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NetworkError(
                f"{source.name} holds no rules for roads ({error!r}): begin from rules.json"
            ) from error
        return cls(data, place)

    @cached_property
    def classes(self) -> frozenset[str]:
        """Values of ``highway`` that some mode may use."""
        found = {kind for table in self._kph.values() for kind in table}
        return frozenset(found | {f"{kind}_link" for kind in found})

    @cached_property
    def tags(self) -> frozenset[str]:
        """Keys that the rules read."""
        keys = {"highway", "name", "junction", "area", "maxspeed"}
        keys |= {"maxspeed:forward", "maxspeed:backward"}
        for mode in MODES:
            keys |= {*self.data["modes"][mode]["access"], *self.data["modes"][mode]["oneway"]}
        return frozenset(keys)

    def speeds_kph(self, tags: Tags, *, back: bool) -> tuple[float, ...]:
        """Speed of each mode along a way, or back; 0 where it may not go."""
        return tuple(self._speed_kph(tags, mode, back=back) for mode in MODES)

    def modes_bound(self, tags: Tags) -> tuple[str, int]:
        """Kind of a turn restriction and the modes it binds, a bit each; 0 for none."""
        kind, modes = "", 0
        excepted = {word.strip() for word in tags.get("except", "").split(";")}
        for bit, mode in enumerate(MODES):
            own = self.data["modes"][mode]
            found = next((tags[key] for key in reversed(own["restriction"]) if key in tags), "")
            if found and not excepted & set(own["except"]):
                kind, modes = found, modes | 1 << bit
        return kind, modes

    @cached_property
    def _kph(self) -> dict[str, dict[str, float]]:
        tables = {mode: dict(self.data["modes"][mode]["kph"]) for mode in MODES}
        places = [code for code in self.data.get("places", {}) if self.place.startswith(code)]
        for code in sorted(places, key=len):
            for mode, changes in self.data["places"][code].items():
                tables[mode].update(changes)
        return tables

    def _speed_kph(self, tags: Tags, mode: str, *, back: bool) -> float:
        kind = tags["highway"]
        own = self.data["modes"][mode]
        usual = self._kph[mode].get(kind.removesuffix("_link"), 0.0)
        if not usual or not self._may_use(tags, own["access"]):
            return 0.0
        if back in self._forbidden(tags, own["oneway"], vehicle=mode != "foot"):
            return 0.0
        if kind.endswith("_link"):
            usual *= own.get("link_share", 1.0)
        limit = None if mode == "foot" else self._limit_kph(tags, back=back)
        if limit is not None:
            usual = limit * self.data["share_of_limit"]
        return float(min(usual, own["top_kph"]))

    def _may_use(self, tags: Tags, keys: list[str]) -> bool:
        """The most special key that says yes or no decides."""
        for key in reversed(keys):
            value = tags.get(key)
            if value in self.data["closed"]:
                return False
            if value in self.data["open"]:
                return True
        return True

    def _forbidden(self, tags: Tags, keys: list[str], *, vehicle: bool) -> set[bool]:
        """Directions (back or not) in which a way may not be used."""
        value = next((tags[key] for key in reversed(keys) if key in tags), "")
        implied = tags.get("junction") in {"roundabout", "circular"}
        if value in _YES or (vehicle and not value and (implied or tags["highway"] == "motorway")):
            return {True}
        return {False} if value in _BACK else set()

    def _limit_kph(self, tags: Tags, *, back: bool) -> float | None:
        own = tags.get("maxspeed:backward" if back else "maxspeed:forward")
        words = (own or tags.get("maxspeed", "")).split()
        if not words:
            return None
        named = self.data["limits_kph"].get(words[0])
        if named is not None:
            return float(named)
        number = words[0].removesuffix("mph")
        if not number.isdigit() or int(number) == 0:
            return None
        return int(number) * (_MPH if "mph" in (words[-1], words[0][-3:]) else 1.0)
