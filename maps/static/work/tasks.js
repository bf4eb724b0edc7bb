// One task as the worker sees it: what, where, until when, and the buttons for it.
import { element, facts, number, t, time } from "../workbench/words.js";

const FIELDS = {
  reason: () => element("textarea", { name: "reason", required: true, maxlength: 4000, rows: 2 }),
  result: () => element("textarea", { name: "result", required: true, maxlength: 4000, rows: 2 }),
  amount: () => element("input", { name: "amount", type: "number", min: 1, max: 60, value: 3, required: true }),
  unit: (one) => element("select", { name: "unit", required: true }, ...one.whistles.filter((call) => !call.answered_at).map((call) => element("option", { value: call.unit }, call.name))),
};

export function taskItem(one, handlers) {
  const ask = element("form", { class: "ask", hidden: true });
  const way = element("div");
  const buttons = Object.entries(one.actions).map(([action, needs]) => element("button", {
    type: "button", "data-action": action,
    onclick: () => (needs.length || action === "report" ? open(ask, one, action, needs, handlers) : handlers.act(one, action, {})),
  }, t(`action ${action}`)));
  return element("li", { class: "task", "data-id": one.id },
    element("h2", {}, element("i", { class: `light ${one.light}`, role: "img", "aria-label": t(`light ${one.light}`) }), ` ${facts.classes[one.class_code] || one.class_code} · ${t(one.state)}`),
    element("p", { class: "hint" }, `${one.case}${one.due_at ? ` · ${t(`deadline ${one.deadline}`)} ${time(one.due_at)}` : ""}`),
    element("p", {}, one.description || "—"),
    element("p", { class: "hint" }, `${one.grid || ""} · ${number(one.lon, 6)}, ${number(one.lat, 6)}`),
    element("div", { class: "buttons" }, ...buttons, element("button", { type: "button", class: "quiet", "data-way": one.id, onclick: () => handlers.way(one, way) }, t("The way there"))),
    ask, way,
    element("details", {}, element("summary", {}, t("Course")), element("ol", {}, ...one.course.map((step) => element("li", {}, `${t(`action ${step.kind}`)} · ${time(step.at)}${step.detail.reason ? ` · ${step.detail.reason}` : ""}`)))));
}

// The browser's own words on a file input are in the browser's language, not the page's.
export function picker() {
  const chosen = element("output");
  const input = element("input", { type: "file", name: "photo", accept: "image/*", capture: "environment", onchange: () => { chosen.textContent = input.files[0]?.name || ""; } });
  return element("label", { class: "file" }, t("Photo"), input, element("span", { class: "pick" }, t("Choose a photo")), chosen);
}

function open(form, one, action, needs, handlers) {
  form.hidden = false;
  form.replaceChildren(...needs.map((need) => element("label", {}, t(`need ${need}`), FIELDS[need](one))),
    action === "report" ? picker() : null,
    element("p", { class: "row" }, element("button", {}, t(`action ${action}`)), element("button", { type: "button", class: "quiet", onclick: () => { form.hidden = true; } }, t("Cancel"))));
  form.onsubmit = (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const photo = data.get("photo");
    const given = Object.fromEntries([...data].filter(([name, value]) => name !== "photo" && value !== ""));
    for (const name of ["amount", "unit"]) if (given[name]) given[name] = Number(given[name]);
    handlers.act(one, action, given, photo?.size ? photo : null);
  };
  form.querySelector("textarea, select, input")?.focus();
}

// A line drawn without a map: the phone may have none. North is up.
export function drawing(line) {
  const xs = line.map(([x]) => x);
  const ys = line.map(([, y]) => y);
  const squeeze = Math.cos((ys[0] * Math.PI) / 180);
  const [west, north] = [Math.min(...xs), Math.max(...ys)];
  const wide = Math.max((Math.max(...xs) - west) * squeeze, 1e-5);
  const high = Math.max(north - Math.min(...ys), 1e-5);
  const scale = 100 / Math.max(wide, high);
  const at = ([x, y]) => `${((x - west) * squeeze * scale).toFixed(2)},${((north - y) * scale).toFixed(2)}`;
  const space = "http://www.w3.org/2000/svg";
  const drawn = document.createElementNS(space, "svg");
  drawn.setAttribute("class", "way");
  drawn.setAttribute("viewBox", `-6 -6 ${(wide * scale + 12).toFixed(2)} ${(high * scale + 12).toFixed(2)}`);
  const path = document.createElementNS(space, "polyline");
  path.setAttribute("points", line.map(at).join(" "));
  drawn.append(path);
  for (const [place, colour] of [[line[0], "#1b7837"], [line.at(-1), "#a4161a"]]) {
    const dot = document.createElementNS(space, "circle");
    const [x, y] = at(place).split(",");
    for (const [name, value] of Object.entries({ cx: x, cy: y, r: 3, fill: colour })) dot.setAttribute(name, value);
    drawn.append(dot);
  }
  return drawn;
}
