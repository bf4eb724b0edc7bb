// The dispatcher's console: the list, the map, the feed, and the keys that drive them.
import { facts, t, element } from "../workbench/words.js";
import { Refused, change, changeAt, follow, quietly, read, readAt } from "./api.js";
import { LiveMap } from "./live.js";
import * as panel from "./panel.js";

const by = (id) => document.getElementById(id);
let list = [];
let lists = 0;
let shown = null;
// The incident that the panel is asked to show: it is on its way, or shown.
let chosen = null;
let red = new Set();
let place = null;

const map = new LiveMap(by("map"), { chosen: open, placed: pinned, drawn: closed, refused: withoutTiles, person: (who) => panel.say(`${who.name} · ${(facts.roles[who.role] || who.role)} · ${Math.floor(who.age_s / 60)} ${t("min")}${who.busy ? ` · ${t("busy with another incident")}` : ""}`) });
window.console_ = map;

// ---- the list ----

function filters() {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(by("filters"))) if (value) asked.append(name, value);
  return asked;
}

async function look() {
  const asked = ++lists;
  const told = await read(`?${filters()}`);
  // Answers overtake one another: the list that was asked for last stands.
  if (asked !== lists) return;
  list = told.incidents;
  by("incidents").replaceChildren(...list.map((one) => panel.listItem(one, shown?.id, open)));
  by("count").textContent = String(told.total);
  by("empty").hidden = list.length > 0;
  alarm();
}

// What has turned red since it was last looked at sounds, and stands in the title.
function alarm() {
  const now = new Set(list.filter((one) => one.light === "red").map((one) => one.id));
  const fresh = [...now].filter((id) => !red.has(id));
  if (fresh.length && red.filled) sound();
  red = now;
  red.filled = true;
  document.title = `${now.size ? `(${now.size}) ` : ""}${facts.title || t("Dispatch")} · OneGrid 一张网`;
}

function sound() {
  if (!by("sound").checked) return;
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  tone.connect(audio.destination);
  tone.frequency.value = 880;
  tone.start();
  tone.stop(audio.currentTime + 0.3);
}

async function lookAtHandovers() {
  if (!facts.sends) return;
  const { handovers } = await read("/handovers");
  by("handovers").replaceChildren(...(handovers.length ? [element("h2", {}, `${t("To be handed over")} (${handovers.length})`), element("p", { class: "hint" }, t("Their grid has ended. Nothing is moved unless you do."))] : []),
    ...handovers.map((one) => element("p", { class: "row" }, element("span", {}, `${one.case}: ${one.former} → ${one.name}`),
      element("button", { type: "button", "data-hand-over": one.id, onclick: () => tell(async () => { await change(`/${one.id}/hand-over`); await lookAtHandovers(); }) }, t("Hand over")))));
}

// ---- one incident ----

async function open(id, move = true) {
  chosen = id;
  await reread(move).catch((error) => {
    if (chosen === id) chosen = shown?.id ?? null;
    throw error;
  });
}

async function reread(move = false) {
  const id = chosen;
  if (id === null) return;
  const one = await read(`/${id}`);
  // Answers overtake one another: neither what was left nor an earlier state is shown over a later one.
  if (id !== chosen || (shown?.id === id && one.version < shown.version)) return;
  shown = one;
  panel.showIncident(shown, act);
  if (move) map.choose(shown);
  map.route(null);
  history.replaceState(null, "", `/dispatch?incident=${id}`);
  for (const row of document.querySelectorAll("#incidents li")) row.classList.toggle("chosen", Number(row.dataset.id) === id);
  by("advice").replaceChildren();
  if ("dispatch" in shown.actions || "triage" in shown.actions) await advise(one);
}

async function advise(one) {
  const { id } = one;
  const advice = await read(`/${id}/recommendation`).catch(() => null);
  if (!advice || shown !== one) return;
  panel.showAdvice(advice, {
    send,
    draw: (who) => map.route(who.route),
    why: async () => (await read(`/${id}/recommendation?why=true`)).left_out,
  });
  map.route(advice.candidates[0]?.route || null);
  if (!advice.candidates.length) return;
  const asked = new URLSearchParams(advice.candidates.map((who) => ["person", who.person_id]));
  const told = await read(`/${id}/holes?${asked}`).catch(() => null);
  if (told && shown === one) panel.showHoles(told);
}

function close() {
  chosen = null;
  shown = null;
  by("incident").hidden = true;
  map.route(null);
  map.choose(null);
  history.replaceState(null, "", "/dispatch");
}

async function tell(work) {
  try {
    await work();
    panel.say(t("Done"), "done");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { rule, needed, field } = error.problem;
    const known = rule === "missing" ? `${t("missing:")} ${t(`need ${needed}`)}` : rule ? t(`refused ${rule}`) : field ? t(`refused ${field}`) : null;
    panel.say(error.status === 412 ? t("Somebody was faster: this is how it stands now.") : error.status === 0 ? t("No connection: nothing was done.") : known || t(`refused ${[403, 404, 409].includes(error.status) ? error.status : 422}`), "error");
  }
  await quietly(async () => {
    await reread();
    await look();
    map.refresh();
  });
}

// Of the incident as it is on the screen now.
const act = (action, given) => tell(() => change(`/${shown.id}/${action}`, { ...given, version: shown.version }));
const send = (who) => tell(() => change(`/${shown.id}/send`, { person: who.person_id, version: shown.version }));

// ---- a new report ----

function pinned(at) {
  place = at;
  map.pin(at);
  map.place(false);
  by("place").value = at.map((one) => one.toFixed(6)).join(", ");
  by("report").hidden = false;
  near();
}

function begin() {
  by("report").hidden = false;
  by("report").dataset.key = crypto.randomUUID();
  map.place(true);
  panel.say(t("Click the place on the map, or move it under the cross and press the space bar."));
  by("map").querySelector("canvas").focus();
}

// Reports of the same class close by and lately may be of the same thing.
async function near() {
  const code = by("report-class").value;
  if (!place || !code) return;
  const told = await change("/similar", { lon: place[0], lat: place[1], class_code: code }).catch(() => ({ similar: [] }));
  by("similar").replaceChildren(...told.similar.map((one) => element("li", {}, element("button", { type: "button", class: "link", onclick: () => open(one.id) }, `${one.case} · ${Math.round(one.distance_m)} m`), ` ${one.description}`)));
  by("similar-title").hidden = !told.similar.length;
}

by("report").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!place) return panel.say(t("missing: the place"), "error");
  const data = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value));
  delete data.place;
  tell(async () => {
    const made = await change("", { ...data, x: place[0], y: place[1], crs: "EPSG:4326", receipt_key: by("report").dataset.key });
    endReport();
    await open(made.incident);
  });
});

function endReport() {
  by("report").reset();
  by("report").hidden = true;
  by("similar").replaceChildren();
  by("similar-title").hidden = true;
  place = null;
  map.pin(null);
  map.place(false);
}

// ---- many at once, clusters, closures, notices ----

async function batch() {
  const waiting = list.filter((one) => ["accepted", "triaged", "returned"].includes(one.state)).slice(0, 50);
  by("batch").showModal();
  by("batch-list").replaceChildren();
  if (!waiting.length) return panel.showProposals([], list, null);
  const { proposals } = await read(`/proposals?${new URLSearchParams(waiting.map((one) => ["incident", one.id]))}`);
  panel.showProposals(proposals, list, async (one, button) => {
    button.disabled = true;
    await tell(() => change(`/${one.incident}/send`, { person: one.person_id }));
    button.closest("li").remove();
  });
}

async function clusters() {
  const on = by("layer-clusters").checked;
  const told = on ? await read("/clusters") : { type: "FeatureCollection", features: [] };
  map.clusters(told);
  panel.showClusters(told.features, (one) => {
    map.fit(told.features.find(({ properties }) => properties === one).geometry);
    open(one.incidents[0], false);
  });
}

function closing() {
  panel.say(t("Click a line across the roads to close; Enter closes them, Escape lets go."));
  map.draw();
}

async function closed(line) {
  if (line.length < 2) return panel.say(t("A closure needs two places."), "error");
  by("closure").showModal();
  by("closure-form").onsubmit = (event) => {
    event.preventDefault();
    by("closure").close();
    const hours = Number(by("closure-hours").value);
    const ends = hours ? new Date(Date.now() + hours * 3600e3).toISOString() : null;
    tell(async () => {
      await changeAt("/api/v1/closures", { geometry: { type: "LineString", coordinates: line }, reason: by("closure-reason").value, ends });
      await closures();
    });
  };
}

async function closures() {
  if (!facts.sends) return;
  const told = await readAt("/api/v1/closures");
  panel.showClosures(told.closures, (one) => tell(async () => {
    await changeAt(`/api/v1/closures/${one.id}/end`);
    await closures();
  }));
}

async function notices() {
  const told = await readAt("/api/v1/notices");
  panel.showNotices(told.notices, async (one) => {
    await changeAt(`/api/v1/notices/${one.id}/seen`);
    await notices();
  }, open);
}

// ---- keys, layers, the feed ----

function step(way) {
  const at = list.findIndex((one) => one.id === shown?.id);
  const next = list[Math.min(Math.max(at + way, 0), list.length - 1)];
  if (next) open(next.id);
}

by("batch-open")?.addEventListener("click", batch);
by("batch-close").addEventListener("click", () => by("batch").close());
by("close-road")?.addEventListener("click", closing);
by("closure-cancel").addEventListener("click", () => by("closure").close());
by("layer-clusters").addEventListener("change", clusters);

const keys = { ...(facts.sends ? { b: batch, c: closing } : {}), j: () => step(1), k: () => step(-1), n: begin, "/": () => by("words").focus(), Escape: () => (by("report").hidden ? close() : endReport()), "?": () => by("help").showModal() };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input, textarea, select");
  const nth = Number(event.key);
  const sender = nth && !typing && document.querySelectorAll("[data-send]")[nth - 1];
  if (sender) return sender.focus();
  if (typing && event.key !== "Escape") return;
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

async function cells() {
  if (by("layer-cells").checked) map.cells(await read("/cells"));
}

by("filters").addEventListener("input", () => quietly(look));
by("filters").addEventListener("submit", (event) => event.preventDefault());
by("new").addEventListener("click", begin);
by("report-class").addEventListener("change", near);
by("report-cancel").addEventListener("click", endReport);
by("close").addEventListener("click", close);
by("show-help").addEventListener("click", () => by("help").showModal());
by("help-close").addEventListener("click", () => by("help").close());
for (const [id, names] of [["layer-grids", ["grid-line", "grid-fill", "community-line"]], ["layer-responders", ["responder", "responder-age"]], ["layer-heat", ["heat"]], ["layer-cells", ["cells", "cells-count"]]]) {
  by(id).addEventListener("change", async () => { map.show(names, by(id).checked); await cells(); });
}

// What has happened is looked at a little later, several steps at once; where that fails, again.
let soon = null;
let stale = false;
function refresh(after_ms = 150) {
  clearTimeout(soon);
  soon = setTimeout(async () => {
    try {
      if (stale) await reread();
      stale = false;
      await look();
      map.refresh();
      await cells();
      await notices();
      by("connection").hidden = feed.isOpen;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      by("connection").hidden = false;
      refresh(2000);
    }
  }, after_ms);
}

function withoutTiles(error) {
  if ([401, 403].includes(error.status)) return;
  by("connection").hidden = false;
  refresh(2000);
}

function stepped(one) {
  by("ticker").textContent = `${one.case} ${t(`action ${one.kind}`)}`;
  // At once: whoever acts on an incident acts on it as it stands.
  if (one.incident === chosen) quietly(async () => {
    stale = true;
    await reread();
    stale = false;
  });
  refresh();
}

const feed = follow({
  stepped,
  resync: () => refresh(),
  lost: () => { by("connection").hidden = false; },
  open: () => { by("connection").hidden = true; },
});
addEventListener("online", () => refresh());
setInterval(refresh, 30000); // lights turn by themselves
map.map.once("load", async () => {
  await look();
  await Promise.all([lookAtHandovers(), closures(), notices()]);
  if (facts.incident) await open(facts.incident);
});
