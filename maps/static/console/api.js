// The incidents' API: every change carries the session's token and the version that was seen.
import { Stream } from "../shared/stream.js";
import { facts } from "../workbench/words.js";

const root = "/api/v1/incidents";

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || String(status));
    this.status = status;
    this.problem = problem;
  }
}

async function answerOf(response) {
  if (response.status === 401) location.assign("/login?next=/dispatch");
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

export const read = (path = "") => readAt(root + path);
export const change = (path, body = {}) => changeAt(root + path, body);

// No network is a refusal like others: who asked is told.
async function ask(path, options) {
  try {
    return await answerOf(await fetch(path, options));
  } catch (error) {
    throw error instanceof TypeError ? new Refused(0, {}) : error;
  }
}

export const readAt = (path) => ask(path, { headers: { Accept: "application/json" } });

export const changeAt = (path, body = {}) => ask(path, {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-CSRF-Token": facts.csrf },
  body: JSON.stringify(body),
});

// What nobody asked for may fail without a word: it is tried again by itself.
export const quietly = (work) => work().catch((error) => {
  if (!(error instanceof Refused)) throw error;
});

// The feed begins again by itself where it was cut, behind the step that was seen last. A few steps
// are told twice then; each is shown once.
export function follow({ stepped, resync, lost, open }) {
  const shown = new Set();
  let last = facts.after;
  const feed = new Stream(() => `${root}/feed?after=${last}`, {
    step: (event) => {
      const step = JSON.parse(event.data);
      last = Math.max(last, step.id);
      if (step.id <= facts.after || shown.has(step.id)) return;
      shown.add(step.id);
      if (shown.size > 5000) shown.delete(shown.values().next().value);
      stepped(step);
    },
    resync,
    // Signed out, or the right to hear has ended: the page asks anew who is there.
    ended: () => { feed.close(); location.reload(); },
  }, { lost, open });
  return feed;
}
