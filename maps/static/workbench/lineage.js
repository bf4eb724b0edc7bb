// A grid's lineage as a graph: a column for each time at which grids began, a band for each
// step, as wide as the share of the households that goes along.
import { number, time } from "./words.js";

const WIDE = 150, HIGH = 30, APART = 60, BETWEEN = 14, TOP = 22;

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// A long name is drawn narrower; Chinese characters are as wide as the type is high.
function fitted(name) {
  const wide = [...name].reduce((sum, one) => sum + (one > "\u2e80" ? 12 : 7), 0);
  return wide > WIDE - 16 ? { textLength: WIDE - 16, lengthAdjust: "spacingAndGlyphs" } : {};
}

// Grids of a column stand where those lie that they come from, so that bands seldom cross.
function placed(steps) {
  const nodes = new Map();
  for (const one of steps) {
    nodes.set(one.source_id, { id: one.source_id, code: one.source, name: one.source_name, since: one.source_since });
    nodes.set(one.target_id, { id: one.target_id, code: one.target, name: one.target_name, since: one.at });
  }
  const times = [...new Set([...nodes.values()].map((one) => one.since))].sort();
  const columns = times.map(() => []);
  for (const one of nodes.values()) columns[times.indexOf(one.since)].push(one);
  columns.forEach((column, x) => {
    for (const one of column) {
      const from = steps.filter((step) => step.target_id === one.id).map((step) => nodes.get(step.source_id).y);
      one.rank = from.length ? from.reduce((sum, y) => sum + y, 0) / from.length : 0;
    }
    column.sort((a, b) => a.rank - b.rank || a.code.localeCompare(b.code));
    column.forEach((one, y) => { Object.assign(one, { x: x * (WIDE + APART), y: TOP + y * (HIGH + BETWEEN) }); });
  });
  return { nodes, times, rows: Math.max(...columns.map((column) => column.length)) };
}

function band(one, from, to) {
  const [x1, y1, x2, y2] = [from.x + WIDE, from.y + HIGH / 2, to.x, to.y + HIGH / 2];
  const half = (x2 - x1) / 2;
  return svg("path", { class: "band", d: `M${x1} ${y1}C${x1 + half} ${y1} ${x2 - half} ${y2} ${x2} ${y2}`, "stroke-width": Math.max(1.5, one.share * HIGH * 0.7) },
    svg("title", {}, `${from.name} → ${to.name}: ${number(100 * one.share)} %`));
}

export function lineageGraph(steps, code, choose, label) {
  const { nodes, times, rows } = placed(steps);
  const wide = times.length * (WIDE + APART) - APART, high = TOP + rows * (HIGH + BETWEEN);
  const boxes = [...nodes.values()].map((one) => {
    const open = () => choose(one.code);
    return svg("g", { class: one.code === code ? "node chosen" : "node", role: "button", tabindex: 0, transform: `translate(${one.x} ${one.y})`, onclick: open,
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } } },
      svg("rect", { width: WIDE, height: HIGH, rx: 4 }),
      svg("text", { x: 8, y: HIGH / 2 + 5, ...fitted(one.name) }, one.name));
  });
  return svg("svg", { class: "lineage", role: "group", "aria-label": label, width: wide + 4, height: high, viewBox: `-2 0 ${wide + 4} ${high}` },
    ...times.map((at, x) => svg("text", { class: "when", x: x * (WIDE + APART), y: 12 }, time(at))),
    ...steps.map((one) => band(one, nodes.get(one.source_id), nodes.get(one.target_id))), ...boxes);
}
