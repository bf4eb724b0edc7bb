// The drafts' API: every change carries the version that was seen and the session's token.
import { Stream } from "../shared/stream.js";
import { facts } from "./words.js";

const root = `/api/v1/drafts/${facts.draft}`;

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || String(status));
    this.status = status;
    this.problem = problem;
  }
}

export const seen = { version: facts.version };

async function answerOf(response) {
  const body = await response.json().catch(() => ({}));
  const tag = response.headers.get("ETag");
  if (tag) seen.version = Number(tag.replaceAll('"', ""));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

export async function read(path = "") {
  return answerOf(await fetch(root + path, { headers: { Accept: "application/json" } }));
}

export async function change(path, body = {}) {
  return answerOf(
    await fetch(root + path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "If-Match": `"${seen.version}"`,
        "X-CSRF-Token": facts.csrf,
      },
      body: JSON.stringify(body),
    }),
  );
}

// What was missed while the stream was cut is looked at anew.
export function watch(handlers, { lost, open }) {
  const events = Object.entries(handlers).map(([name, handle]) => [name, (event) => handle(JSON.parse(event.data))]);
  const stream = new Stream(() => `${root}/events`, {
    ...Object.fromEntries(events),
    // Signed out, or the right to hear has ended: the page asks anew who is there.
    ended: () => { stream.close(); location.reload(); },
  }, {
    lost,
    open: (again) => {
      open();
      if (again) handlers.resync();
    },
  });
  return stream;
}
