// The side panel: what the last change brought about, totals, warnings, the chosen community.
import { element, number, t, time } from "./words.js";

const put = (id, ...children) => document.getElementById(id).replaceChildren(...children);

export function say(message, kind = "") {
  const box = document.getElementById("said");
  box.className = kind;
  box.textContent = message;
}

export function showTotals(totals) {
  if (!totals) return;
  const row = (name, key) => element("tr", {},
    element("th", { scope: "row" }, name),
    element("td", { class: "n" }, number(totals.before[key])),
    element("td", { class: "n" }, number(totals.after[key])));
  put("totals", element("table", {},
    element("thead", {}, element("tr", {},
      element("td"), element("th", { class: "n", scope: "col" }, t("before")), element("th", { class: "n", scope: "col" }, t("after")))),
    element("tbody", {}, row(t("Grids"), "grids"), row(t("Households"), "households"), row(t("above the range"), "over"), row(t("below the range"), "under"))));
  put("histogram", histogram(totals));
}

const edges = ["<50", "50", "60", "70", "80", "90", "100", "110", "120", "130", "150", "≥200"];

function histogram(totals) {
  const most = Math.max(1, ...totals.before.histogram, ...totals.after.histogram);
  const bars = totals.after.histogram.map((count, i) => element("div", { class: "bar-slot", title: `${edges[i]} %: ${totals.before.histogram[i]} → ${count}` },
    element("i", { class: "was", style: { height: `${(60 * totals.before.histogram[i]) / most}px` } }),
    element("i", { class: "now", style: { height: `${(60 * count) / most}px` } }),
    element("small", {}, edges[i])));
  const told = totals.after.histogram.map((count, i) => `${edges[i]} %: ${count}`).join(", ");
  return element("div", { class: "histogram", role: "img", "aria-label": `${t("Grids by size, per cent of the target")}: ${told}` }, ...bars);
}

export function showChanges(done, go) {
  const pair = (one, key, digits = 0, scale = 1) =>
    [one.before, one.after].map((side) => (side ? number(side[key] / scale, digits) : "—")).join(" → ");
  const rows = done.changes.map((one) => element("tr", {},
    element("th", { scope: "row" }, element("button", { type: "button", class: "link", onclick: () => go(one) }, one.name || one.key), element("br"), element("small", {}, one.worker || "")),
    element("td", { class: "n" }, pair(one, "households")),
    element("td", { class: "n" }, pair(one, "people")),
    element("td", { class: "n" }, pair(one, "area_m2", 1, 10000)),
    element("td", { class: "n" }, pair(one, "compactness", 2)),
    element("td", { class: "n" }, pair(one, "walk_m"))));
  const head = [t("Grid"), t("Households"), t("People"), t("Area (ha)"), t("Compactness"), t("Longest walk (m)")];
  put("changes", element("div", { class: "wide-table" }, element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((name, i) => element("th", { scope: "col", class: i ? "n" : "" }, name)))),
    element("tbody", {}, ...rows))));
  const moved = done.moved;
  const lines = [
    `${t("Households that move")}: ${number(moved.households)} (${number(moved.people)} ${t("people")})`,
    `${t("Addresses that move")}: ${number(moved.addresses)}`,
    `${t("Open incidents whose grid changes")}: ${moved.incidents.length}${moved.incidents.length ? ` (${moved.incidents.slice(0, 5).map((one) => one.case).join(", ")})` : ""}`,
    `${t("Gridworkers concerned")}: ${moved.workers.join("、") || "—"}`,
  ];
  put("moved", ...lines.map((line) => element("li", {}, line)));
}

export function showWarnings(list, go) {
  document.getElementById("warning-count").textContent = list.length;
  put("warnings", ...list.map((one) => element("li", {},
    element("button", { type: "button", class: "link", onclick: () => go(one) }, `${t(`warning ${one.kind}`)} · ${one.name}`),
    " ", element("small", {}, one.kind === "building_split" ? "" : `${one.person ? `${one.person} ` : ""}${number(one.figure, one.kind === "odd_shape" ? 2 : 0)}`))));
}

export function showCommunity(panel, choose) {
  const [least, , most] = panel.range;
  put("community", element("h3", {}, `${panel.name} · ${Math.round(least)}–${Math.round(most)}`),
    element("table", {}, element("tbody", {}, ...panel.grids.map((grid) => element("tr", { "data-key": grid.key },
      element("th", { scope: "row" }, element("button", { type: "button", class: "link", onclick: (event) => choose(panel, grid, event.shiftKey) }, grid.name)),
      element("td", { class: "n" }, number(grid.figures.households)),
      element("td", {}, grid.worker || "—"))))));
}

export function showEdits(draft, go) {
  const rows = draft.edits.map((one) => element("li", { class: one.position > draft.head ? "undone" : one.conflict ? "conflict" : "" },
    element("button", { type: "button", class: "link", onclick: () => go(one.position), title: t("Go to this step") }, `${one.position}. ${t(`edit ${one.operation}`)}`),
    " ", element("small", {}, [one.told.name, one.told.grid?.slice(12), one.author].filter(Boolean).join(" · ")),
    one.conflict ? element("p", { class: "error" }, `${t("no longer applies on the present plan")}: ${t(`rule ${one.conflict_rule}`)} `,
      element("a", { href: `/planner/drafts/${draft.draft}/conflicts` }, t("Side by side"))) : null));
  put("edits", element("li", {}, element("button", { type: "button", class: "link", onclick: () => go(0) }, `0. ${t("as published")}`)), ...rows);
  put("checkpoints", ...draft.checkpoints.map((one) => element("li", {},
    element("button", { type: "button", class: "link", onclick: () => go(one.position) }, `⚑ ${one.name} (${one.position})`))));
}

export function showNotes(draft, go, resolve) {
  put("notes", ...draft.notes.map((one) => element("li", { class: one.resolved ? "undone" : "" },
    one.place ? element("button", { type: "button", class: "link", onclick: () => go(one.place) }, `◉ ${one.id}`) : element("span", {}, `${one.id}`),
    " ", one.words, " ", element("small", {}, one.author),
    one.resolved ? null : element("button", { type: "button", class: "small", onclick: () => resolve(one.id) }, t("Dealt with")))));
}

export function showSteps(draft) {
  document.getElementById("state").textContent = t(`draft ${draft.state}`);
  put("steps", ...draft.steps.map((one) => element("li", {}, `${t(`step ${one.step}`)} · ${one.actor} · ${time(one.at)}`, one.reason ? element("p", {}, one.reason) : null)));
  for (const form of document.querySelectorAll("[data-states]")) {
    form.hidden = !form.dataset.states.split(" ").includes(draft.state);
  }
}

export function showPeople(names) {
  put("people", ...names.map((name) => element("li", {}, name)));
}
