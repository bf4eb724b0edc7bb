// Server-sent events that are asked for again by themselves, after pauses that grow.
//
// The browser's own way back tries again after the same pause for ever (a short one once a server
// has said "come back at once"), and never again after an answer that is no stream.

const first_ms = 500;
const longest_ms = 30_000;
// What was open for so long was well: the next pause is a short one again.
const well_ms = 10_000;

// The pause after so many tries in a row; not all who were cut come back in the same moment.
export function pauseOf(tries, chance = Math.random()) {
  return Math.min(first_ms * 2 ** tries * (0.5 + chance), longest_ms * (1 - chance / 4));
}

// `address` is asked for each time: it may say what was heard last. `events` are handlers by name,
// which are given the event; `lost` and `open` are told how it is, `open` whether it was before.
export class Stream {
  #address;
  #events;
  #told;
  #source = null;
  #timer = null;
  #tries = 0;
  #opened_ms = null;
  #was_open = false;
  #is_closed = false;

  constructor(address, events, told) {
    this.#address = address;
    this.#events = events;
    this.#told = told;
    globalThis.addEventListener?.("online", () => this.#timer !== null && this.#ask());
    this.#ask();
  }

  get isOpen() {
    return this.#source?.readyState === EventSource.OPEN;
  }

  close() {
    this.#is_closed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #ask() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#is_closed) return;
    const source = new EventSource(this.#address());
    this.#source = source;
    for (const [name, handle] of Object.entries(this.#events)) source.addEventListener(name, handle);
    source.onopen = () => {
      this.#opened_ms = performance.now();
      this.#told.open(this.#was_open);
      this.#was_open = true;
    };
    source.onerror = () => this.#again(source);
  }

  #again(source) {
    source.close();
    if (source !== this.#source || this.#is_closed || this.#timer !== null) return;
    if (this.#opened_ms !== null && performance.now() - this.#opened_ms >= well_ms) this.#tries = 0;
    this.#opened_ms = null;
    this.#timer = setTimeout(() => this.#ask(), pauseOf(this.#tries));
    this.#tries += 1;
    this.#told.lost();
  }
}
