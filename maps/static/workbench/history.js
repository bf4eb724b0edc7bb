// The history of a plan: a slider over its generations, and a grid's lineage.
import * as maplibregl from "/static/vendor/maplibre-gl/dist/maplibre-gl.mjs";
import { lineageGraph } from "./lineage.js";
import { askAgain, fadeDuration, palettes, planTiles, styleOf, tellIdle } from "./style.js";
import { element, facts, number, t, time } from "./words.js";

const by = (id) => document.getElementById(id);
const slider = by("generation");
for (const name of ["under", "within", "over", "dedicated"]) {
  document.documentElement.style.setProperty(`--${name}`, palettes.standard[name]);
}

const map = new maplibregl.Map({
  container: "map",
  fadeDuration,
  style: styleOf("standard"),
  bounds: facts.bounds,
  fitBoundsOptions: { padding: 30 },
  minZoom: 7,
  maxZoom: 20,
  dragRotate: false,
  attributionControl: false,
  localIdeographFontFamily: '"Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", sans-serif',
  locale: {
    "NavigationControl.ZoomIn": t("Zoom in"),
    "NavigationControl.ZoomOut": t("Zoom out"),
    "Map.Title": t("Map"),
  },
});
map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-left");
map.addControl(new maplibregl.ScaleControl({ unit: "metric" }), "bottom-left");
tellIdle(map, by("map"));
const askRefused = askAgain(map);
window.planHistory = map;

function show() {
  const one = facts.generations[Number(slider.value)];
  by("map").dataset.idle = "false";
  askRefused();
  map.getSource("draft").setTiles(planTiles(one.since, one.id));
  by("holds").textContent = `${time(one.since)} – ${one.until ? time(one.until) : ""}`;
  slider.setAttribute("aria-valuetext", by("holds").textContent);
  for (const row of document.querySelectorAll("#generations tr")) {
    row.classList.toggle("chosen", row.dataset.id === String(one.id));
  }
}

async function lineage(code) {
  map.setFilter("grid-active", ["==", ["get", "key"], code]);
  const told = await (await fetch(`/api/v1/history/${code}`)).json();
  by("lineage-graph").replaceChildren(...(told.steps.length ? [lineageGraph(told.steps, code, lineage, t("Lineage graph"))] : []));
  by("lineage").replaceChildren(...told.steps.map((one) => element("li", {},
    `${time(one.at)}: `,
    element("button", { type: "button", class: "link", onclick: () => lineage(one.source) }, one.source_name),
    " → ",
    element("button", { type: "button", class: "link", onclick: () => lineage(one.target) }, one.target_name),
    ` ${number(100 * one.share)} %`)));
  if (!told.steps.length) by("lineage").textContent = t("This grid has always been as it is.");
}

map.on("click", "grid-fill", (event) => lineage(event.features[0].properties.code));
slider.addEventListener("input", show);
by("find").addEventListener("submit", (event) => {
  event.preventDefault();
  lineage(new FormData(event.target).get("code"));
});
for (const button of document.querySelectorAll("[data-former]")) {
  button.addEventListener("click", async () => {
    const answer = await fetch("/api/v1/drafts", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": facts.csrf },
      body: JSON.stringify({ former: Number(button.dataset.former) }),
    });
    const told = await answer.json();
    if (answer.ok) location.assign(`/planner/drafts/${told.draft}`);
    else by("said").textContent = t("refused 409");
  });
}
map.once("load", show);
