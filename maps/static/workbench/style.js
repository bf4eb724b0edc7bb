// The map's style: the city's own vector tiles, local fonts, palettes that colour-blind readers
// tell apart (Crameri's vik and Okabe and Ito's colours) and one of high contrast.
import { facts } from "./words.js";

// Names fade in, but for whoever wants things to stand still.
export const fadeDuration = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 300;

// Tells in data-idle whether a map has drawn what it should. When a source is asked for again and its
// last tile comes with the ETag that it had, MapLibre draws no frame and fires no "idle": ask for one.
export function tellIdle(map, container) {
  let asking;
  map.on("idle", () => { container.dataset.idle = "true"; });
  map.on("movestart", () => { container.dataset.idle = "false"; });
  map.on("sourcedataloading", (event) => {
    if (event.tile) return;
    clearInterval(asking);
    asking = setInterval(() => {
      if (!map.loaded()) return;
      clearInterval(asking);
      map.triggerRepaint();
    }, 100);
  });
}

const FIRST_MS = 2000;
const LONGEST_MS = 30_000;

// A tile that was refused is asked for again, after pauses that grow. MapLibre never does: told to load
// a source anew it lets such a tile wait for an answer that is not under way (6.17), unless it is named.
// `refused` is told why, of each. What is returned asks at once: before a source gets other tiles.
export function askAgain(map, refused = () => {}) {
  const waiting = new Map();
  let pause_ms = FIRST_MS;
  let timer = null;
  const ask = () => {
    clearTimeout(timer);
    timer = null;
    const asked = [...waiting.values()];
    waiting.clear();
    for (const { source, id } of asked) if (map.getSource(source)) map.refreshTiles(source, [id]);
  };
  map.on("error", (event) => {
    if (!event.tile) return console.error(event.error);
    const { z, x, y } = event.tile.tileID.canonical;
    waiting.set(`${event.sourceId}/${z}/${x}/${y}`, { source: event.sourceId, id: { z, x, y } });
    if (timer === null) {
      timer = setTimeout(ask, pause_ms);
      pause_ms = Math.min(2 * pause_ms, LONGEST_MS);
    }
    refused(event.error);
  });
  map.on("sourcedata", (event) => { if (event.tile?.state === "loaded") pause_ms = FIRST_MS; });
  return ask;
}

export const palettes = {
  standard: {
    ground: "#f6f4ef", water: "#b5d8eb", building: "#ddd5c7", street: "#b9b2a5", main: "#e8a33d",
    under: "#5b9bc4", within: "#dcd7cc", over: "#c4694b", dedicated: "#b9a6cf",
    grid: "#24415f", block: "#8d9298", community: "#5b2a86", chosen: "#0b5394", active: "#d55e00",
    fill: 0.55, text: "#16202b", halo: "#ffffff",
  },
  contrast: {
    ground: "#ffffff", water: "#9fc5e8", building: "#d0d0d0", street: "#808080", main: "#606060",
    under: "#0040a0", within: "#ffffff", over: "#b00000", dedicated: "#6a00a8",
    grid: "#000000", block: "#555555", community: "#000000", chosen: "#000000", active: "#ff8c00",
    fill: 0.5, text: "#000000", halo: "#ffffff",
  },
  blind: {
    ground: "#f7f7f2", water: "#c6dcea", building: "#dddad2", street: "#b5b2aa", main: "#8f8b80",
    under: "#56b4e9", within: "#eeeae0", over: "#d55e00", dedicated: "#cc79a7",
    grid: "#333333", block: "#999999", community: "#000000", chosen: "#0072b2", active: "#000000",
    fill: 0.6, text: "#111111", halo: "#ffffff",
  },
};

// Of all tiles.
export const ZOOMS = { minzoom: 6, maxzoom: 18 };

const source = (path, version) => ({
  type: "vector",
  tiles: [`${location.origin}/tiles/${path}/{z}/{x}/{y}.mvt?v=${version}`],
  ...ZOOMS,
  promoteId: { grid: "key", block: "key" },
});

// The plan as it held at a time; its generation's number stands for what never changes.
export function planTiles(at, generation) {
  const [address] = source("plan", generation).tiles;
  return [`${address}&at=${encodeURIComponent(at)}`];
}

export function draftTiles(version) {
  return source(`draft/${facts.draft}`, version).tiles;
}

function fillOf(colours) {
  const { urban, rural } = facts.ranges;
  const of = (range) => [
    "case",
    ["<", ["get", "households"], range[0]], colours.under,
    [">", ["get", "households"], range[1]], colours.over,
    colours.within,
  ];
  return [
    "match", ["get", "kind"],
    "dedicated", colours.dedicated,
    "rural", of(rural),
    of(urban),
  ];
}

const none = ["in", ["get", "key"], ["literal", []]];
const font = { "text-font": ["Noto Sans CJK SC"] };

export function styleOf(name) {
  const c = palettes[name];
  const wide = ["match", ["get", "kind"], ["motorway", "trunk", "primary"], 5, ["secondary", "tertiary"], 3, 1.2];
  return {
    version: 8,
    sources: {
      base: source("base", facts.base_version),
      draft: facts.draft
        ? source(`draft/${facts.draft}`, facts.version)
        : { ...source("plan", 0), tiles: planTiles(facts.generations.at(-1).since, facts.generations.at(-1).id) },
      flash: { type: "geojson", data: { type: "FeatureCollection", features: [] } },
      drawn: { type: "geojson", data: { type: "FeatureCollection", features: [] } },
      notes: { type: "geojson", data: { type: "FeatureCollection", features: [] } },
    },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": c.ground } },
      { id: "water", type: "fill", source: "base", "source-layer": "water", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": c.water } },
      { id: "watercourse", type: "line", source: "base", "source-layer": "water", filter: ["==", ["geometry-type"], "LineString"], paint: { "line-color": c.water, "line-width": 2 } },
      { id: "building", type: "fill", source: "base", "source-layer": "building", paint: { "fill-color": c.building, "fill-outline-color": c.street } },
      { id: "grid-fill", type: "fill", source: "draft", "source-layer": "grid", paint: { "fill-color": fillOf(c), "fill-opacity": c.fill } },
      { id: "street", type: "line", source: "base", "source-layer": "street", layout: { "line-cap": "round" }, paint: { "line-color": ["match", ["get", "kind"], ["motorway", "trunk", "primary", "secondary"], c.main, c.street], "line-width": ["interpolate", ["linear"], ["zoom"], 11, 0.6, 16, wide] } },
      { id: "railway", type: "line", source: "base", "source-layer": "railway", paint: { "line-color": "#555555", "line-width": 2, "line-dasharray": [4, 3] } },
      { id: "block-fill", type: "fill", source: "draft", "source-layer": "block", paint: { "fill-color": c.chosen, "fill-opacity": 0 } },
      { id: "block-line", type: "line", source: "draft", "source-layer": "block", minzoom: 14, paint: { "line-color": c.block, "line-width": 1, "line-dasharray": [2, 2] } },
      { id: "block-chosen", type: "fill", source: "draft", "source-layer": "block", filter: none, paint: { "fill-color": c.chosen, "fill-opacity": 0.45 } },
      { id: "grid-line", type: "line", source: "draft", "source-layer": "grid", paint: { "line-color": c.grid, "line-width": ["interpolate", ["linear"], ["zoom"], 11, 0.8, 16, 2.4] } },
      { id: "community-line", type: "line", source: "draft", "source-layer": "community", paint: { "line-color": c.community, "line-width": 3, "line-dasharray": [1, 2] } },
      { id: "grid-chosen", type: "line", source: "draft", "source-layer": "grid", filter: none, paint: { "line-color": c.chosen, "line-width": 5 } },
      { id: "grid-active", type: "line", source: "draft", "source-layer": "grid", filter: none, paint: { "line-color": c.active, "line-width": 5 } },
      { id: "flash", type: "fill", source: "flash", paint: { "fill-color": "#d0021b", "fill-opacity": 0.6 } },
      { id: "flash-line", type: "line", source: "flash", paint: { "line-color": "#d0021b", "line-width": 4 } },
      { id: "drawn", type: "line", source: "drawn", paint: { "line-color": "#d0021b", "line-width": 3, "line-dasharray": [2, 1] } },
      { id: "drawn-point", type: "circle", source: "drawn", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-color": "#d0021b", "circle-radius": 5, "circle-stroke-color": "#ffffff", "circle-stroke-width": 2 } },
      { id: "notes", type: "circle", source: "notes", paint: { "circle-color": ["case", ["get", "resolved"], "#888888", "#d0021b"], "circle-radius": 8, "circle-stroke-color": "#ffffff", "circle-stroke-width": 2 } },
      { id: "note-number", type: "symbol", source: "notes", layout: { ...font, "text-field": ["to-string", ["get", "id"]], "text-size": 11, "text-allow-overlap": true }, paint: { "text-color": "#ffffff" } },
      { id: "street-name", type: "symbol", source: "base", "source-layer": "street", minzoom: 15, filter: ["!=", ["get", "name"], ""], layout: { ...font, "symbol-placement": "line", "text-field": ["get", "name"], "text-size": 12 }, paint: { "text-color": "#5a5348", "text-halo-color": c.halo, "text-halo-width": 1.5 } },
      { id: "grid-label", type: "symbol", source: "draft", "source-layer": "label", minzoom: 12.5, layout: { ...font, "text-field": ["concat", ["get", "short"], "\n", ["to-string", ["get", "households"]]], "text-size": 13 }, paint: { "text-color": c.text, "text-halo-color": c.halo, "text-halo-width": 2 } },
    ],
  };
}
