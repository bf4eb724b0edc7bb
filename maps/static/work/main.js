// The worker's page: tasks, steps, reports; what cannot be sent now is sent later, once.
import { element, facts, number, t, time } from "../workbench/words.js";
import { smaller } from "../photo.js";
import { flush, keep, waiting } from "./queue.js";
import { drawing, taskItem } from "./tasks.js";

const by = (id) => document.getElementById(id);
const KEPT = `tasks:${facts.login}`;

function say(words, kind = "") {
  by("said").textContent = words;
  by("said").className = kind;
}

function show(tasks, at) {
  by("count").textContent = String(tasks.length);
  by("empty").hidden = tasks.length > 0;
  by("tasks").replaceChildren(...tasks.map((one) => taskItem(one, { act, way })));
  by("net").textContent = at ? `${t("No network: as of")} ${time(at)}. ${t("What you do is sent later.")}` : "";
  by("net").className = at ? "hint offline" : "hint";
}

// Tasks as the server has them, else as they were seen last.
async function look() {
  try {
    const answer = await fetch("/api/v1/incidents/tasks");
    if (answer.status === 401) return signIn();
    const { incidents } = await answer.json();
    localStorage.setItem(KEPT, JSON.stringify({ at: Date.now(), incidents }));
    show(incidents, null);
  } catch {
    const kept = JSON.parse(localStorage.getItem(KEPT) || '{"incidents": [], "at": 0}');
    show(kept.incidents, kept.at || Date.now());
  }
}

function signIn() {
  say(t("Sign in again: what is to be sent stays here."), "error");
  by("said").append(" ", element("a", { href: "/login?next=/work" }, t("Sign in")));
}

async function list() {
  const things = await waiting();
  by("waiting").textContent = String(things.length);
  by("queue").replaceChildren(...things.map((one) => element("li", {}, `${one.title} · ${time(one.at)}`)));
}

async function send(thing) {
  await keep(thing);
  await list();
  await sendAll();
}

async function sendAll() {
  await flush(facts.csrf, {
    sent: () => say(t("Sent"), "done"),
    refused: (thing, { status, problem }) => say(`${thing.title}: ${problem.rule ? t(`refused ${problem.rule}`) : t(`refused ${problem.field || ([403, 404, 409, 412].includes(status) ? status : 422)}`)}`, "error"),
    signIn,
  });
  await list();
  await look();
}

async function act(one, action, given, photo = null) {
  const key = crypto.randomUUID();
  const title = `${one.case} ${t(`action ${action}`)}`;
  await send({ key, at: Date.now(), title, incident: one.id, path: `/api/v1/incidents/${one.id}/${action}`, body: { ...given, receipt_key: key }, photo: photo && await smaller(photo) });
}

// ---- where ----

const placed = () => new Promise((done, failed) => navigator.geolocation
  ? navigator.geolocation.getCurrentPosition(done, failed, { enableHighAccuracy: true, timeout: 10000, maximumAge: 15000 })
  : failed(new Error("none")));

async function way(one, target) {
  try {
    const { coords } = await placed();
    // Where somebody is stands in the body: address lines are kept in logs on the way.
    const answer = await fetch(`/api/v1/incidents/${one.id}/way`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ lon: coords.longitude, lat: coords.latitude, mode: facts.mode }),
    });
    if (!answer.ok) throw new Error(answer.status);
    const told = await answer.json();
    target.replaceChildren(drawing(told.line), element("p", {}, `${number(told.time_s / 60, 1)} ${t("min")} · ${number(told.distance_m)} m`), element("ol", { class: "streets" }, ...told.streets.map((street) => element("li", {}, street))));
  } catch {
    target.replaceChildren(element("p", { class: "error" }, t("The way cannot be told: no place, or no network.")));
  }
}

by("report").elements.photo.addEventListener("change", (event) => {
  event.target.parentElement.querySelector("output").textContent = event.target.files[0]?.name || "";
});

by("here").addEventListener("click", async () => {
  try {
    const { coords } = await placed();
    by("report").elements.place.value = `${coords.longitude.toFixed(6)}, ${coords.latitude.toFixed(6)}`;
  } catch {
    say(t("This phone does not tell where it is."), "error");
  }
});

by("report").addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData(event.target);
  const [x, y] = data.get("place").split(/[,，]/).map(Number);
  const key = crypto.randomUUID();
  const photo = data.get("photo");
  const body = { class_code: data.get("class_code"), description: data.get("description"), x, y, crs: "EPSG:4326", channel: "worker", receipt_key: key };
  event.target.reset();
  event.target.querySelector("output").textContent = "";
  await send({ key, at: Date.now(), title: `${t("New report")} ${body.description.slice(0, 20)}`, path: "/api/v1/incidents", body, photo: photo?.size ? await smaller(photo) : null });
});

// ---- on duty ----

let duty = null;
by("duty").addEventListener("change", () => {
  clearInterval(duty);
  if (by("duty").checked) {
    duty = setInterval(tell, 30000);
    tell();
  } else post("/api/v1/positions/own/forget", {});
});

const post = (path, body) => fetch(path, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": facts.csrf }, body: JSON.stringify(body) });

async function tell() {
  try {
    const { coords, timestamp } = await placed();
    await post("/api/v1/positions/own", { lon: coords.longitude, lat: coords.latitude, at: new Date(timestamp).toISOString() });
  } catch {
    say(t("This phone does not tell where it is."), "error");
  }
}

if ("serviceWorker" in navigator) navigator.serviceWorker.register("/work/offline.js", { scope: "/work" });
addEventListener("online", sendAll);
setInterval(() => document.hidden || sendAll(), 20000);
await sendAll();
