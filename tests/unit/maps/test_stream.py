"""Pages that have lost their stream ask for it after pauses that grow, whatever the server said."""

import json
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "maps" / "static" / "shared" / "stream.js"
# Streams and time of our own: each timer is run at once, and says how long it would have been.
WORLD = """
const asked = [], pauses = [], told = [];
let now = 0;
globalThis.performance = { now: () => now };
globalThis.clearTimeout = () => {};
let later = null;
globalThis.setTimeout = (work, pause) => {
  pauses.push(pause);
  now += pause;
  later = work;
  return 1;
};
globalThis.EventSource = class {
  static OPEN = 1;
  readyState = 0;
  constructor(address) { asked.push(address); source = this; }
  addEventListener(name, handle) { this[name] = handle; }
  close() { this.readyState = 2; }
};
let source = null;
const open = () => { source.readyState = 1; source.onopen(); };
const lose = () => { source.onerror(); const work = later; later = null; work?.(); };
const { Stream, pauseOf } = await import("data:text/javascript," + encodeURIComponent(text));
let last = 0;
const stream = new Stream(() => `/feed?after=${last}`, { step: () => { last += 1; } }, {
  lost: () => told.push("lost"), open: (again) => told.push(again ? "again" : "open"),
});
"""


def run(script: str) -> dict:
    """What a script of that world says."""
    text = f"const text = {json.dumps(SOURCE.read_text('utf-8'))};{WORLD}{script}"
    command = ["node", "--input-type=module", "-e", text]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pauses_double_from_half_a_second_to_half_a_minute() -> None:
    """One console asked four times a second for as long as the server was away."""
    said = run("while (now < 600000) lose(); console.log(JSON.stringify({ pauses }));")
    pauses = said["pauses"]
    for tries, pause in enumerate(pauses):
        middle = min(500 * 2**tries, 30_000)
        assert min(middle / 2, 22_500) <= pause <= min(middle * 1.5, 30_000), (tries, pause)
    assert len(pauses) < 40, "in ten minutes"
    assert len(set(pauses)) == len(pauses), "no two in the same moment"


@pytest.mark.parametrize(("open_ms", "is_short"), [(60_000, True), (100, False)])
def test_the_next_pause_is_short_where_the_stream_was_well(open_ms: int, is_short: bool) -> None:
    said = run(
        "for (let n = 0; n < 6; n++) lose();"
        f"open(); now += {open_ms}; lose();"
        "console.log(JSON.stringify({ pauses, told }));"
    )
    assert (said["pauses"][-1] <= 750) == is_short
    assert said["told"][-2:] == ["open", "lost"]


def test_it_goes_on_behind_what_was_heard_last_and_says_that_it_was_open() -> None:
    said = run(
        "open(); source.step(); source.step(); lose(); open();"
        "console.log(JSON.stringify({ asked, told, isOpen: stream.isOpen }));"
    )
    assert said == {
        "asked": ["/feed?after=0", "/feed?after=2"],
        "told": ["open", "lost", "again"],
        "isOpen": True,
    }


def test_what_was_closed_is_not_asked_for_again() -> None:
    said = run("stream.close(); lose(); console.log(JSON.stringify({ asked, told }));")
    assert said == {"asked": ["/feed?after=0"], "told": []}
