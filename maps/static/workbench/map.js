// The map: tiles, what is chosen on it, lines and lassos drawn on it, by mouse, touch or keys.
import * as maplibregl from "/static/vendor/maplibre-gl/dist/maplibre-gl.mjs";
import { askAgain, draftTiles, fadeDuration, palettes, styleOf, tellIdle } from "./style.js";
import { facts, t } from "./words.js";

export class PlanMap {
  constructor(container, palette, handlers) {
    this.handlers = handlers;
    this.grids = [];
    this.blocks = new Set();
    this.line = [];
    this.mode = "grids";
    this.map = new maplibregl.Map({
      container,
      fadeDuration,
      style: styleOf(palette),
      bounds: facts.bounds,
      fitBoundsOptions: { padding: 30 },
      minZoom: 7,
      maxZoom: 20,
      dragRotate: false,
      boxZoom: false, // Shift chooses several
      pitchWithRotate: false,
      attributionControl: false,
      localIdeographFontFamily: '"Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", sans-serif',
      locale: {
        "NavigationControl.ZoomIn": t("Zoom in"),
        "NavigationControl.ZoomOut": t("Zoom out"),
        "Map.Title": t("Map"),
      },
    });
    colourKey(palette);
    this.map.touchZoomRotate.disableRotation();
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-left");
    this.map.addControl(new maplibregl.ScaleControl({ unit: "metric" }), "bottom-left");
    this.map.on("click", (event) => this.clicked(event));
    this.map.on("dblclick", (event) => this.mode === "line" && (event.preventDefault(), this.finish()));
    this.map.on("mousedown", (event) => this.startStroke(event));
    this.map.on("touchstart", (event) => event.points.length === 1 && this.startStroke(event));
    tellIdle(this.map, container);
    this.askAgain = askAgain(this.map);
    this.map.getCanvas().addEventListener("keydown", (event) => this.pressed(event));
  }

  use(mode) {
    this.mode = mode;
    this.line = [];
    this.drawLine();
    this.map.getCanvas().style.cursor = mode === "grids" ? "" : "crosshair";
    this.map.doubleClickZoom[mode === "line" ? "disable" : "enable"]();
  }

  at(point) {
    const [block] = this.map.queryRenderedFeatures(point, { layers: ["block-fill"] });
    const [grid] = this.map.queryRenderedFeatures(point, { layers: ["grid-fill"] });
    return { block: block?.properties, grid: grid?.properties };
  }

  clicked(event) {
    if (this.mode === "line") return this.addPoint(event.lngLat);
    if (this.mode === "note") return this.handlers.noted([event.lngLat.lng, event.lngLat.lat]);
    const here = this.at(event.point);
    if (this.mode === "blocks") return here.block && this.toggleBlock(here.block);
    if (this.mode === "grids" && here.grid) this.chooseGrid(here.grid, event.originalEvent.shiftKey);
  }

  chooseGrid(grid, more = false) {
    const held = this.grids.findIndex((one) => one.key === grid.key);
    if (more && held >= 0) this.grids.splice(held, 1);
    else if (more && this.grids[0]?.community === grid.community) this.grids.push(grid);
    else this.grids = [grid];
    this.showChosen();
  }

  toggleBlock(block, on = !this.blocks.has(block.key)) {
    if (on) this.blocks.add(block.key);
    else this.blocks.delete(block.key);
    this.community = block.community;
    this.showChosen();
  }

  clear() {
    this.grids = [];
    this.blocks.clear();
    this.line = [];
    this.drawLine();
    this.showChosen();
  }

  showChosen() {
    const keys = this.grids.map((one) => one.key);
    const within = (list) => ["in", ["get", "key"], ["literal", list]];
    this.map.setFilter("grid-active", within(keys.slice(0, 1)));
    this.map.setFilter("grid-chosen", within(keys.slice(1)));
    this.map.setFilter("block-chosen", within([...this.blocks]));
    this.handlers.chosen();
  }

  // A stroke: the brush takes the blocks under it, the lasso those inside it.
  startStroke(event) {
    if (!["brush", "lasso"].includes(this.mode) || event.originalEvent.button > 0) return;
    event.preventDefault();
    const stroke = [event.lngLat];
    const move = (moved) => {
      stroke.push(moved.lngLat);
      if (this.mode === "brush") {
        const { block } = this.at(moved.point);
        if (block) this.toggleBlock(block, true);
      } else {
        this.drawn([...stroke, stroke[0]].map((one) => [one.lng, one.lat]));
      }
    };
    const end = () => {
      for (const name of ["mousemove", "touchmove"]) this.map.off(name, move);
      if (this.mode === "lasso") this.lassoed(stroke);
      else this.handlers.brushed();
    };
    const { block } = this.at(event.point);
    if (this.mode === "brush" && block) this.toggleBlock(block, true);
    for (const name of ["mousemove", "touchmove"]) this.map.on(name, move);
    for (const name of ["mouseup", "touchend"]) this.map.once(name, end);
  }

  lassoed(stroke) {
    const ring = stroke.map((one) => [one.lng, one.lat]);
    this.drawn([]);
    const found = this.map.queryRenderedFeatures(undefined, { layers: ["block-fill"] });
    for (const one of found) {
      if (inside(middleOf(one.geometry), ring)) this.toggleBlock(one.properties, true);
    }
    this.handlers.brushed();
  }

  addPoint(place) {
    this.line.push([round(place.lng), round(place.lat)]);
    this.drawLine();
    this.handlers.chosen();
  }

  drawLine() {
    this.drawn(this.line);
  }

  drawn(points) {
    const features = points.map((one) => feature({ type: "Point", coordinates: one }));
    if (points.length > 1) features.push(feature({ type: "LineString", coordinates: points }));
    this.map.getSource("drawn")?.setData({ type: "FeatureCollection", features });
  }

  finish() {
    // A double click sets its point twice.
    const line = this.line.filter((one, i) => i === 0 || one.join() !== this.line[i - 1].join());
    if (line.length > 1) this.handlers.drawn(line);
  }

  // Everything that a mouse does can be done at the cross in the middle of the map.
  pressed(event) {
    const middle = this.map.getCenter();
    const point = this.map.project(middle);
    if (event.key === " ") {
      event.preventDefault();
      if (this.mode === "line") this.addPoint(middle);
      else if (this.mode === "note") this.handlers.noted([middle.lng, middle.lat]);
      else if (this.mode === "grids") {
        const { grid } = this.at(point);
        if (grid) this.chooseGrid(grid, event.shiftKey);
      } else {
        const { block } = this.at(point);
        if (block) this.toggleBlock(block);
      }
    } else if (event.key === "Enter" && this.mode === "line") {
      event.preventDefault();
      this.finish();
    } else if (event.key === "Backspace" && this.mode === "line") {
      this.line.pop();
      this.drawLine();
    }
  }

  refresh(version) {
    this.askAgain();
    this.map.getSource("draft").setTiles(draftTiles(version));
  }

  recolour(palette) {
    this.map.setStyle(styleOf(palette), { diff: true });
    colourKey(palette);
    this.map.once("idle", () => this.showChosen());
  }

  notes(list) {
    const features = list
      .filter((one) => one.place)
      .map((one) => feature({ type: "Point", coordinates: one.place }, { id: one.id, resolved: one.resolved }));
    this.map.getSource("notes")?.setData({ type: "FeatureCollection", features });
  }

  flash(place) {
    if (!place) return;
    const source = this.map.getSource("flash");
    source.setData(feature(place));
    const box = new maplibregl.LngLatBounds();
    for (const one of pointsOf(place.coordinates)) box.extend(one);
    this.map.fitBounds(box, { padding: 160, maxZoom: Math.max(this.map.getZoom(), 15) });
    let left = 6;
    const timer = setInterval(() => {
      this.map.setPaintProperty("flash", "fill-opacity", left % 2 ? 0.6 : 0.15);
      if (--left === 0) clearInterval(timer);
    }, 350);
    setTimeout(() => source.setData({ type: "FeatureCollection", features: [] }), 6000);
  }

  goTo(place, zoom = 16) {
    this.map.easeTo({ center: place, zoom: Math.max(this.map.getZoom(), zoom) });
  }

  show(bounds) {
    this.map.fitBounds(bounds, { padding: 120, maxZoom: 16 });
  }
}

function colourKey(palette) {
  for (const name of ["under", "within", "over", "dedicated"]) {
    document.documentElement.style.setProperty(`--${name}`, palettes[palette][name]);
  }
}

const round = (value) => Math.round(value * 1e7) / 1e7;
const feature = (geometry, properties = {}) => ({ type: "Feature", geometry, properties });
const pointsOf = (value) => (typeof value[0] === "number" ? [value] : value.flatMap(pointsOf));

function middleOf(geometry) {
  const points = pointsOf(geometry.coordinates);
  const sum = points.reduce(([x, y], [a, b]) => [x + a, y + b], [0, 0]);
  return sum.map((value) => value / points.length);
}

function inside([x, y], ring) {
  let odd = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [[ax, ay], [bx, by]] = [ring[i], ring[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}
