"""What an import reports: read = stored + refused, and why each row was refused."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.safe_cells import safe_cell

__all__ = ["ImportReport", "Refusal"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was not stored: its number (1 is the first), the reason, its values."""

    row: int
    reason: str
    values: dict[str, Any]


@dataclass(slots=True)
class ImportReport:
    """Counts and refusals of one import; `changed` counts rows new or different."""

    source: str
    read: int = 0
    stored: int = 0
    changed: int = 0
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, row: int, reason: str, values: dict[str, Any]) -> None:
        """Record a refused row."""
        self.refused.append(Refusal(row, reason, values))

    def write_refused(self, path: Path) -> None:
        """Write the refused rows as CSV: row, reason, then the row's own columns."""
        headings = list(dict.fromkeys(name for one in self.refused for name in one.values))
        with path.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["row", "reason", *map(safe_cell, headings)])
            for refusal in self.refused:
                cells = [refusal.values.get(name, "") for name in headings]
                writer.writerow([refusal.row, *map(safe_cell, [refusal.reason, *cells])])

    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.source}: {self.read} read = {self.stored} stored "
            f"({self.changed} new or changed) + {len(self.refused)} refused"
        )

    def as_json(self) -> str:
        """Counts and the first refusals as JSON."""
        return json.dumps(
            {
                "source": self.source,
                "read": self.read,
                "stored": self.stored,
                "changed": self.changed,
                "refused": len(self.refused),
                "reasons": [{"row": r.row, "reason": r.reason} for r in self.refused[:100]],
                "notes": self.notes,
            },
            ensure_ascii=False,
        )
