// The live map: incidents by state and light, responders with the age of their position, ways.
import * as maplibregl from "/static/vendor/maplibre-gl/dist/maplibre-gl.mjs";
import { ZOOMS, askAgain, fadeDuration, styleOf, tellIdle } from "../workbench/style.js";
import { facts, t } from "../workbench/words.js";

const REFRESH_MS = 5000;
const font = { "text-font": ["Noto Sans CJK SC"] };
// Okabe and Ito: told apart by the colour-blind. The ring is the light.
export const colours = {
  waiting: "#d55e00", underway: "#0072b2", done: "#009e73", still: "#8d9298",
  red: "#a4161a", yellow: "#e69f00", green: "#3a8f5c",
};
const GROUPS = {
  waiting: ["accepted", "triaged", "returned"],
  underway: ["dispatched", "handled", "rework", "extension"],
  done: ["reported", "verified", "followed_up"],
};
const of = (name) => ["in", ["get", "state"], ["literal", GROUPS[name]]];
const empty = { type: "FeatureCollection", features: [] };

const layers = [
  { id: "heat", type: "heatmap", source: "work", "source-layer": "incident", layout: { visibility: "none" }, paint: { "heatmap-radius": 28, "heatmap-opacity": 0.7 } },
  { id: "cells", type: "fill", source: "cells", layout: { visibility: "none" }, paint: { "fill-color": ["interpolate", ["linear"], ["get", "share"], 0, "#fff7bc", 0.5, "#fe9929", 1, "#993404"], "fill-opacity": 0.65, "fill-outline-color": "#5c4400" } },
  { id: "cells-count", type: "symbol", source: "cells", minzoom: 12, layout: { ...font, visibility: "none", "text-field": ["to-string", ["get", "count"]], "text-size": 13 }, paint: { "text-halo-color": "#ffffff", "text-halo-width": 2 } },
  { id: "cluster", type: "line", source: "clusters", paint: { "line-color": "#7b1fa2", "line-width": 3, "line-dasharray": [3, 2] } },
  { id: "cluster-fill", type: "fill", source: "clusters", paint: { "fill-color": "#7b1fa2", "fill-opacity": 0.12 } },
  { id: "cluster-count", type: "symbol", source: "clusters", layout: { ...font, "text-field": ["to-string", ["get", "count"]], "text-size": 16 }, paint: { "text-color": "#4a148c", "text-halo-color": "#ffffff", "text-halo-width": 2 } },
  { id: "route-edge", type: "line", source: "route", layout: { "line-cap": "round" }, paint: { "line-color": "#ffffff", "line-width": 8 } },
  { id: "route", type: "line", source: "route", layout: { "line-cap": "round" }, paint: { "line-color": "#0b5394", "line-width": 5 } },
  { id: "closure", type: "line", source: "work", "source-layer": "closure", paint: { "line-color": "#000000", "line-width": 5, "line-dasharray": [1, 1] } },
  { id: "incident", type: "circle", source: "work", "source-layer": "incident", paint: {
    "circle-radius": ["interpolate", ["linear"], ["zoom"], 10, 3.5, 15, 8],
    "circle-color": ["case", of("waiting"), colours.waiting, of("underway"), colours.underway, of("done"), colours.done, colours.still],
    "circle-stroke-color": ["match", ["get", "light"], "red", colours.red, "yellow", colours.yellow, "#ffffff"],
    "circle-stroke-width": ["match", ["get", "light"], "red", 4, "yellow", 3, 1.5] } },
  { id: "chosen", type: "circle", source: "work", "source-layer": "incident", filter: ["==", ["get", "id"], 0], paint: { "circle-radius": 15, "circle-color": "rgba(0,0,0,0)", "circle-stroke-color": "#000000", "circle-stroke-width": 3 } },
  { id: "responder", type: "circle", source: "work", "source-layer": "responder", minzoom: 12, paint: { "circle-radius": 10, "circle-color": ["case", ["get", "busy"], "#e5e8ec", "#ffffff"], "circle-stroke-color": ["match", ["get", "role"], "police", "#12355b", "mediator", "#6a3d9a", "#1b7837"], "circle-stroke-width": 3 } },
  // The age of the position, in minutes, stands on every one.
  { id: "responder-age", type: "symbol", source: "work", "source-layer": "responder", minzoom: 12, layout: { ...font, "text-field": ["concat", ["to-string", ["floor", ["/", ["get", "age_s"], 60]]], "′"], "text-size": 11, "text-allow-overlap": true }, paint: { "text-color": "#16202b" } },
  { id: "pin", type: "circle", source: "pin", paint: { "circle-radius": 9, "circle-color": "#cc79a7", "circle-stroke-color": "#000000", "circle-stroke-width": 3 } },
  { id: "sketch", type: "line", source: "sketch", paint: { "line-color": "#c2185b", "line-width": 4, "line-dasharray": [2, 1] } },
  { id: "sketch-point", type: "circle", source: "sketch", paint: { "circle-radius": 5, "circle-color": "#c2185b" } },
];

function liveStyle() {
  const style = styleOf("standard");
  const tiles = [`${location.origin}/tiles/work/{z}/{x}/{y}.mvt`];
  const geojson = () => ({ type: "geojson", data: empty });
  Object.assign(style.sources, { work: { type: "vector", tiles, ...ZOOMS }, route: geojson(), cells: geojson(), pin: geojson(), clusters: geojson(), sketch: geojson() });
  style.layers.find((one) => one.id === "grid-fill").paint["fill-opacity"] = 0.08;
  style.layers.push(...layers);
  return style;
}

export class LiveMap {
  constructor(container, handlers) {
    this.handlers = handlers;
    this.placing = false;
    this.map = new maplibregl.Map({
      container, fadeDuration, style: liveStyle(), bounds: facts.bounds, fitBoundsOptions: { padding: 20 },
      minZoom: 7, maxZoom: 20, dragRotate: false, pitchWithRotate: false, attributionControl: false,
      localIdeographFontFamily: '"Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", sans-serif',
      locale: { "NavigationControl.ZoomIn": t("Zoom in"), "NavigationControl.ZoomOut": t("Zoom out"), "Map.Title": t("Map") },
    });
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-left");
    this.map.addControl(new maplibregl.ScaleControl({ unit: "metric" }), "bottom-left");
    this.map.on("click", (event) => this.clicked(event.point, event.lngLat));
    tellIdle(this.map, container);
    askAgain(this.map, (error) => handlers.refused(error));
    this.map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      this.clicked(this.map.project(this.map.getCenter()), this.map.getCenter());
    });
    setInterval(() => document.hidden || this.refresh(), REFRESH_MS);
  }

  clicked(point, place) {
    if (this.line) {
      this.line.push([place.lng, place.lat]);
      return this.sketch();
    }
    if (this.placing) return this.handlers.placed([place.lng, place.lat]);
    const around = [[point.x - 6, point.y - 6], [point.x + 6, point.y + 6]];
    const [found] = this.map.queryRenderedFeatures(around, { layers: ["incident"] });
    if (found) this.handlers.chosen(found.properties.id);
    const [person] = this.map.queryRenderedFeatures(around, { layers: ["responder"] });
    if (person) this.handlers.person(person.properties);
  }

  // A line of clicks; Enter ends it, Escape lets it go.
  draw() {
    this.line = [];
    this.map.getCanvas().style.cursor = "crosshair";
    this.map.getCanvas().focus();
    const keyed = (event) => {
      if (!["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      removeEventListener("keydown", keyed, true);
      const line = this.line;
      this.line = null;
      this.sketch();
      this.map.getCanvas().style.cursor = "";
      if (event.key === "Enter") this.handlers.drawn(line);
    };
    addEventListener("keydown", keyed, true);
  }

  sketch() {
    const line = this.line || [];
    const data = line.length ? { type: "Feature", properties: {}, geometry: line.length > 1 ? { type: "LineString", coordinates: line } : { type: "Point", coordinates: line[0] } } : empty;
    this.map.getSource("sketch")?.setData(data);
  }

  clusters(data) {
    this.map.getSource("clusters")?.setData(data);
  }

  fit(geometry) {
    const all = geometry.coordinates.flat(geometry.type === "Polygon" ? 1 : 2);
    const [xs, ys] = [all.map(([x]) => x), all.map(([, y]) => y)];
    this.map.fitBounds([Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)], { padding: 80, maxZoom: 16 });
  }

  // Each by its name: one that was refused before is asked for again only so.
  refresh() {
    if (!this.map.getSource("work")) return;
    const seen = this.map.coveringTiles({ tileSize: 512, ...ZOOMS });
    this.map.refreshTiles("work", seen.map((one) => one.canonical));
  }

  place(on) {
    this.placing = on;
    this.map.getCanvas().style.cursor = on ? "crosshair" : "";
  }

  pin(place) {
    const data = place ? { type: "Feature", properties: {}, geometry: { type: "Point", coordinates: place } } : empty;
    this.map.getSource("pin")?.setData(data);
  }

  choose(incident) {
    const apply = () => this.map.setFilter("chosen", ["==", ["get", "id"], incident?.id || 0]);
    // Not isStyleLoaded(): that is false whenever tiles are on their way.
    if (this.map.getLayer("chosen")) apply();
    else this.map.once("style.load", apply);
    if (incident) this.map.easeTo({ center: [incident.lon, incident.lat], zoom: Math.max(this.map.getZoom(), 14) });
  }

  route(line) {
    const data = line ? { type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: line } } : empty;
    this.map.getSource("route")?.setData(data);
  }

  cells(data) {
    this.map.getSource("cells")?.setData(data);
  }

  show(names, on) {
    for (const name of names) this.map.setLayoutProperty(name, "visibility", on ? "visible" : "none");
  }
}
