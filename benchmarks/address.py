"""Taking addresses apart: how well the shipped model does on addresses that it has not seen.

Of the 10,824 tagged addresses (CC BY 4.0; Zhejiang mostly, digits masked as 0) those whose SHA-256
is divisible by five are held back; the model is trained on the others (``--train`` makes it anew
and writes it). A component counts where its kind, its begin and its end are right. Adjacent pieces
of one kind are one component: 世茂江滨花园 + 下沙开发区 is a named place.
"""

import argparse
import gzip
import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pycrfsuite

from benchmarks._cases import shared_data
from gis.address import KINDS, Component, normalize, parse
from gis.address.tagging import MODEL, features

__all__ = ["main"]

# Their tags and our kinds. Rooms were left out of the addresses before they were published.
KIND_OF = {
    "prov": "province",
    "city": "city",
    "district": "county",
    "town": "town",
    "community": "community",
    "village_group": "community",
    "road": "road",
    "roadno": "door",
    "poi": "estate",
    "subpoi": "estate",
    "devzone": "estate",
    "houseno": "building",
    "cellno": "unit",
    "floorno": "floor",
    "assist": "relation",
    "intersection": "relation",
    "distance": "relation",
}
_PIECE = re.compile(r"<(\w+)>(.*?)</\1>|([^<]+)")
_BAR_F1 = 0.93
_TRAINED = {"c1": 0.15, "c2": 0.01, "max_iterations": 150}
Pieces = list[tuple[str, str]]
Spans = set[tuple[str, int, int]]


def tagged() -> Iterator[tuple[bool, Pieces]]:
    """Each address: whether it is held back, and its pieces with our kinds, "" for none."""
    with gzip.open(shared_data() / "addresses" / "components.jsonl.gz", "rt", "utf-8") as file:
        for line in file:
            row = json.loads(line)
            digest = hashlib.sha256(row["content_no_tag"].encode()).hexdigest()
            yield int(digest, 16) % 5 == 0, _pieces(row["content_tags"])


def _pieces(content: str) -> Pieces:
    made: Pieces = []
    for tag, inside, outside in _PIECE.findall(content):
        kind, words = KIND_OF.get(tag, ""), normalize(inside or outside)
        if made and made[-1][0] == kind:
            made[-1] = kind, made[-1][1] + words
        elif words:
            made.append((kind, words))
    return made


def _spans(pieces: Pieces) -> Spans:
    found, at = set(), 0
    for kind, words in pieces:
        if kind:
            found.add((kind, at, at + len(words)))
        at += len(words)
    return found


def _predicted(text: str, components: Iterable[Component]) -> Spans:
    found, at = set(), 0
    for one in components:
        begin = text.find(one.text, at)
        if begin >= 0:  # a plain address may tell its door before its street
            at = begin + len(one.text)
            found.add((one.kind, begin, at))
    return found


def train(rows: list[Pieces]) -> None:
    """Make the model anew."""
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params(_TRAINED)
    for pieces in rows:
        labels = [
            f"{'I' if at else 'B'}-{kind}" if kind else "O"
            for kind, words in pieces
            for at in range(len(words))
        ]
        trainer.append(features("".join(words for _, words in pieces)), labels)
    trainer.train(str(MODEL))


def judge(rows: list[Pieces]) -> dict[str, Any]:
    """F1 over all components, and of each kind."""
    right, extra, missed = Counter[str](), Counter[str](), Counter[str]()
    began = time.perf_counter()
    for pieces in rows:
        text, truth = "".join(words for _, words in pieces), _spans(pieces)
        found = parse(text)
        said = _predicted(found.text, found.components)
        right.update(kind for kind, _, _ in truth & said)
        extra.update(kind for kind, _, _ in said - truth)
        missed.update(kind for kind, _, _ in truth - said)
    took_s = time.perf_counter() - began
    row: dict[str, Any] = {
        "addresses": len(rows),
        "f1": _f1(right.total(), extra.total(), missed.total()),
        "ms_each": round(took_s / max(len(rows), 1) * 1000, 3),
    }
    return row | {
        f"f1_{kind}": _f1(right[kind], extra[kind], missed[kind])
        for kind in KINDS
        if right[kind] + missed[kind]
    }


def _f1(right: int, extra: int, missed: int) -> float:
    return round(2 * right / max(2 * right + extra + missed, 1), 4)


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--small", action="store_true", help="the same: it takes seconds")
    parser.add_argument("--train", action="store_true", help="make the model anew first")
    options = parser.parse_args()
    held, known = [], []
    for is_held, pieces in tagged():
        (held if is_held else known).append(pieces)
    if options.train:
        train(known)
    row = judge(held)
    print(json.dumps([row]) if options.json else "\n".join(f"{k:14} {v}" for k, v in row.items()))
    return int(row["f1"] < _BAR_F1)


if __name__ == "__main__":
    sys.exit(main())
