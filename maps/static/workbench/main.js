// The workbench: tools, shortcuts, and the round trip of every change.
import { Refused, change, read, seen, watch } from "./api.js";
import { PlanMap } from "./map.js";
import * as panel from "./panel.js";
import { element, facts, t } from "./words.js";

const by = (id) => document.getElementById(id);
let draft = null;
let tool = "grids";
let busy = false;
let shown = null;

const map = new PlanMap(by("map"), paletteHeld(), {
  chosen: showChosen,
  brushed: showChosen,
  drawn: (line) => (tool === "cut" ? cut(line) : split(line)),
  noted: (place) => note(place),
});
window.workbench = map;

function paletteHeld() {
  const held = localStorage.getItem("palette");
  return ["standard", "contrast", "blind"].includes(held) ? held : "standard";
}

// ---- the round trip ----

async function tell(work) {
  if (busy) return null;
  busy = true;
  document.body.classList.add("busy");
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refused(error);
    return null;
  } finally {
    busy = false;
    document.body.classList.remove("busy");
  }
}

function refused(error) {
  const { problem, status } = error;
  if (status === 412) {
    panel.say(t("Somebody else edited the draft meanwhile. This is its present state; do it again if it still fits."), "error");
    return look();
  }
  const rule = problem.rule ? t(`rule ${problem.rule}`) : t(`refused ${[403, 404, 409].includes(status) ? status : 422}`);
  panel.say(rule, "error");
  map.flash(problem.place);
}

async function edit(operation) {
  const done = await tell(() => change("/edits", operation));
  if (done) acknowledge(done, t("Done"));
  return done;
}

async function move(path, body) {
  const done = await tell(() => change(path, body));
  if (done) acknowledge(done, t("Done"));
}

function acknowledge(done, message) {
  panel.say(message, "done");
  map.clear();
  map.refresh(done.version);
  panel.showChanges(done, (one) => map.show((one.after || one.before).bounds));
  panel.showTotals(done.totals);
  panel.showWarnings(done.warnings, (one) => map.goTo(one.place));
  look(false);
}

async function look(tiles = true) {
  draft = await read();
  if (tiles) map.refresh(draft.version);
  panel.showEdits(draft, (position) => position !== draft.head && move("/go", { position }));
  panel.showTotals(draft.totals);
  panel.showNotes(draft, (place) => map.goTo(place), (id) => step(`/notes/${id}/resolve`));
  panel.showSteps(draft);
  map.notes(draft.notes);
  by("undo").disabled = draft.head === 0;
  by("redo").disabled = !draft.edits.some((one) => one.position > draft.head);
  by("rebase").hidden = draft.fits;
  if (shown) showCommunity(shown);
}

async function step(path, body) {
  if (await tell(() => change(path, body))) await look();
}

// ---- what is chosen, and what can be done with it ----

function showChosen() {
  const names = map.grids.map((one) => one.name || one.short).join("、");
  by("chosen").textContent = [
    names && `${t("Grid")}: ${names}`,
    map.blocks.size && `${t("Blocks")}: ${map.blocks.size}`,
    map.line.length && `${t("Points of the line")}: ${map.line.length}`,
  ].filter(Boolean).join(" · ") || t("Nothing is chosen.");
  const one = map.grids.length === 1;
  by("repaint").disabled = !(map.blocks.size && one);
  by("new-grid").disabled = !map.blocks.size;
  by("merge").disabled = map.grids.length < 2;
  by("swap-codes").disabled = map.grids.length !== 2;
  for (const id of ["split-into", "rename", "dedicate", "assign"]) by(id).disabled = !one;
  by("number-from").disabled = !communityOf();
  by("repartition").disabled = !communityOf();
  by("finish").hidden = !["cut", "split"].includes(tool);
  const community = communityOf();
  if (community && community !== shown) showCommunity(community);
}

const communityOf = () => map.grids[0]?.community || (map.blocks.size ? map.community : shown);

async function showCommunity(code) {
  shown = code;
  const told = await read(`/communities/${code}`);
  if (shown !== code) return;
  panel.showCommunity(told, (community, grid, more) => {
    map.chooseGrid({ ...grid, community: community.code }, more);
    map.show(grid.figures.bounds);
  });
  panel.showWarnings(told.warnings, (one) => map.goTo(one.place));
}

const blocks = () => [...map.blocks];

const actions = {
  repaint: () => edit(given()),
  "swap-codes": () => edit({ operation: "swap_codes", community: communityOf(), grid: map.grids[0].key, other: map.grids[1].key }),
  "number-from": () => ask("number-dialog", (form) => edit({ operation: "number_from", community: communityOf(), first: Number(form.get("first")) })),
  assign: () => {
    people();
    ask("assign-dialog", (form) => edit({ operation: "assign", community: communityOf(), grid: map.grids[0].key, role: form.get("role"), person_id: Number(form.get("person")), holder: form.get("holder") }));
  },
  "new-grid": () => edit({ operation: "new_grid", community: map.community, blocks: blocks() }),
  merge: () => edit({ operation: "merge", community: communityOf(), grids: map.grids.map((one) => one.key) }),
  "split-into": () => ask("split-dialog", (form) => edit({ operation: "split_into", community: communityOf(), grid: map.grids[0].key, count: Number(form.get("count")) })),
  rename: () => ask("rename-dialog", (form) => edit({ operation: "rename", community: communityOf(), grid: map.grids[0].key, name: form.get("name") })),
  dedicate: () => ask("dedicate-dialog", (form) => edit({ operation: "dedicate", community: communityOf(), grid: map.grids[0].key, zone_kind: form.get("kind"), zone_name: form.get("name"), zone_owner: form.get("owner") })),
  repartition: () => ask("repartition-dialog", (form) => edit(repartition(form))),
  undo: () => move("/undo"),
  redo: () => move("/redo"),
  rebase: () => move("/rebase"),
  finish: () => map.finish(),
  clear: () => map.clear(),
};

// Blocks of another community move the boundary between the two.
function given() {
  const grid = map.grids[0];
  if (map.community === grid.community) {
    return { operation: "repaint", community: grid.community, blocks: blocks(), grid: grid.key };
  }
  return { operation: "adjust_boundary", community: map.community, blocks: blocks(), to: grid.community, grid: grid.key };
}

async function people() {
  const asked = new URLSearchParams({ role: by("assign-role").value, words: by("assign-words").value });
  const told = await read(`/people?${asked}`);
  by("assign-person").replaceChildren(...told.people.map((one) => element("option", { value: one.id }, `${one.name} ${one.area || ""}`)));
}

function repartition(form) {
  const asked = { operation: "repartition", community: communityOf(), seed: Number(form.get("seed")) };
  for (const name of ["balance", "compactness", "streets", "estates", "stability"]) asked[name] = Number(form.get(name));
  if (form.get("target")) asked.target = Number(form.get("target"));
  return asked;
}

const cut = (line) => edit({ operation: "cut", community: communityOf(), line, blocks: blocks() });

function split(line) {
  const grid = map.grids[0];
  if (!grid) return panel.say(t("Choose the grid to split first."), "error");
  return edit({ operation: "split_by_line", community: grid.community, grid: grid.key, line });
}

function note(place) {
  ask("note-dialog", (form) => step("/notes", { words: form.get("words"), place }));
}

function ask(id, then) {
  const dialog = by(id);
  dialog.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    if (event.submitter?.value !== "cancel") then(new FormData(event.target));
    dialog.close();
  };
  dialog.showModal();
}

// ---- tools and shortcuts ----

const modes = { grids: "grids", blocks: "blocks", brush: "brush", lasso: "lasso", cut: "line", split: "line", note: "note" };

function take(name) {
  tool = name;
  map.use(modes[name]);
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === name));
  }
  showChosen();
}

const keys = { v: "grids", a: "blocks", b: "brush", l: "lasso", c: "cut", s: "split", o: "note" };
const shortcuts = {
  g: "repaint", n: "new-grid", m: "merge", k: "split-into", r: "rename", d: "dedicate",
  p: "repartition", x: "swap-codes", u: "number-from", h: "assign",
};

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, dialog")) return;
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && ["z", "y"].includes(key)) {
    event.preventDefault();
    actions[key === "y" || event.shiftKey ? "redo" : "undo"]();
  } else if (event.ctrlKey || event.metaKey || event.altKey) {
    return;
  } else if (key === "escape") {
    map.clear();
  } else if (keys[key]) {
    take(keys[key]);
  } else if (shortcuts[key] && !by(shortcuts[key]).disabled) {
    event.preventDefault();
    actions[shortcuts[key]]();
  } else if (key === "?") {
    by("help").showModal();
  }
});

for (const button of document.querySelectorAll("[data-tool]")) {
  button.addEventListener("click", () => take(button.dataset.tool));
}
for (const [id, act] of Object.entries(actions)) by(id).addEventListener("click", act);
for (const button of document.querySelectorAll("[data-community]")) {
  button.addEventListener("click", () => showCommunity(button.dataset.community));
}
by("palette").value = paletteHeld();
by("palette").addEventListener("change", (event) => {
  localStorage.setItem("palette", event.target.value);
  map.recolour(event.target.value);
});
for (const id of ["assign-role", "assign-words"]) by(id).addEventListener("input", people);
by("show-help").addEventListener("click", () => by("help").showModal());
by("help-close").addEventListener("click", () => by("help").close());
by("note-general").addEventListener("click", () => note(null));
by("checkpoint").addEventListener("submit", (event) => {
  event.preventDefault();
  step("/checkpoints", { name: new FormData(event.target).get("name") });
  event.target.reset();
});
for (const form of document.querySelectorAll("form[data-step]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const told = new FormData(form);
    const at = told.get("at");
    const path = form.dataset.step === "publish" ? "/publish" : `/steps/${form.dataset.step}`;
    step(path, form.dataset.step === "publish" ? { at: at ? new Date(at).toISOString() : null } : { reason: told.get("reason") || "" });
  });
}

// ---- others ----

watch(
  {
    change: (told) => told.version > seen.version && look(),
    resync: () => draft && look(),
    people: (told) => panel.showPeople(told.names),
  },
  {
    lost: () => by("connection").removeAttribute("hidden"),
    open: () => by("connection").setAttribute("hidden", ""),
  },
);

map.map.once("load", () => {
  take("grids");
  look();
});
