// Keeps the worker's page on the phone: the network first, what was seen last where there is none.
const KEEP = "work-1";
const PAGE = ["/work", "/static/desk.css", "/static/work/work.css", "/static/work/main.js", "/static/work/queue.js", "/static/work/tasks.js", "/static/photo.js", "/static/workbench/words.js"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEEP).then((cache) => cache.addAll(PAGE)));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = new URL(request.url).pathname;
  if (request.method === "GET" && PAGE.includes(path)) event.respondWith(freshOrKept(request));
});

async function freshOrKept(request) {
  const cache = await caches.open(KEEP);
  try {
    const answer = await fetch(request);
    // A page of the login is no page of the worker's.
    if (answer.ok && !answer.redirected) await cache.put(request, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
