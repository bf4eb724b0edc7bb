// What is to be sent, kept on the phone until the server has it. Each thing has a receipt key:
// sent twice, it is done once.
const NAME = "onegrid-work";

function opened() {
  return new Promise((done, failed) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("queue", { keyPath: "key" });
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
}

async function within(mode, work) {
  const base = await opened();
  return new Promise((done, failed) => {
    const bound = base.transaction("queue", mode);
    const asked = work(bound.objectStore("queue"));
    bound.oncomplete = () => { base.close(); done(asked.result); };
    bound.onerror = () => failed(bound.error);
  });
}

export const waiting = async () => (await within("readonly", (store) => store.getAll())).sort((a, b) => a.at - b.at);
export const keep = (thing) => within("readwrite", (store) => store.put(thing));
export const drop = (key) => within("readwrite", (store) => store.delete(key));

async function post(path, body, csrf, type = "application/json") {
  return fetch(path, { method: "POST", headers: { "Content-Type": type, "X-CSRF-Token": csrf }, body });
}

// Sends one thing: its step, then its photos. Answers what is left of it, or why it was refused.
async function sendOne(thing, csrf) {
  let { incident } = thing;
  if (thing.path) {
    const answer = await post(thing.path, JSON.stringify(thing.body), csrf);
    if (!answer.ok) return { status: answer.status, problem: await answer.json().catch(() => ({})) };
    incident = (await answer.json()).incident;
  }
  if (thing.photo) {
    const answer = await post(`/api/v1/incidents/${incident}/photos`, thing.photo, csrf, thing.photo.type || "image/jpeg");
    if (!answer.ok) return { status: answer.status, problem: await answer.json().catch(() => ({})) };
  }
  return null;
}

let busy = false;

// Sends everything in order. Stops where there is no network or the session has ended; what the
// server refuses is taken out and told.
export async function flush(csrf, { sent, refused, signIn }) {
  if (busy) return;
  busy = true;
  try {
    for (const thing of await waiting()) {
      const wrong = await sendOne(thing, csrf);
      if (wrong && (wrong.status === 401 || wrong.problem.detail?.includes("expired"))) return signIn();
      if (wrong && wrong.status >= 500) return;
      await drop(thing.key);
      if (wrong) refused(thing, wrong);
      else sent(thing);
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // a TypeError is fetch without a network
  } finally {
    busy = false;
  }
}
