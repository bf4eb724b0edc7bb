// One incident: what it is, what can be done, who can go, and its whole course.
import { element, facts, number, t, time } from "../workbench/words.js";

const by = (id) => document.getElementById(id);
// What an action asks for, and how it is entered.
const FIELDS = {
  reason: () => element("textarea", { name: "reason", required: true, maxlength: 4000, rows: 2 }),
  result: () => element("textarea", { name: "result", required: true, maxlength: 4000, rows: 2 }),
  satisfaction: () => choice("satisfaction", ["satisfied", "content", "dissatisfied", "not_reached"].map((one) => [one, t(`satisfaction ${one}`)])),
  holder: () => choice("unit", Object.entries(facts.units)),
  unit: () => choice("unit", Object.entries(facts.units)),
  units: () => element("select", { name: "units", multiple: true, required: true, size: 6 }, ...Object.entries(facts.units).map(options)),
  amount: () => element("input", { name: "amount", type: "number", min: 1, max: 60, value: 3, required: true }),
};
const options = ([value, name]) => element("option", { value }, name);
const choice = (name, list) => element("select", { name, required: true }, ...list.map(options));
const put = (id, ...children) => by(id).replaceChildren(...children.filter((one) => one !== null));

export function lightOf(light, name = t(`light ${light}`)) {
  return element("i", { class: `light ${light}`, role: "img", "aria-label": name, title: name });
}

export function leftOf(due) {
  const minutes = (new Date(due) - Date.now()) / 60000;
  const [value, unit] = Math.abs(minutes) < 90 ? [minutes, "min"] : Math.abs(minutes) < 2880 ? [minutes / 60, "hours"] : [minutes / 1440, "days"];
  return `${minutes < 0 ? t("late by") : t("still")} ${number(Math.abs(value))} ${t(unit)}`;
}

export function listItem(one, chosen, open) {
  return element("li", { class: one.id === chosen ? "chosen" : "", "data-id": one.id },
    element("button", { type: "button", class: "incident", onclick: () => open(one.id), "aria-current": one.id === chosen ? "true" : null },
      lightOf(one.light), element("b", {}, facts.classes[one.class_code] || one.class_code),
      element("span", { class: "state" }, t(one.state)),
      element("small", {}, [one.case, one.severity !== "general" && t(one.severity), one.grid, one.person || one.unit, one.due_at && `${t(`deadline ${one.deadline}`)} ${leftOf(one.due_at)}`].filter(Boolean).join(" · "))));
}

export function showIncident(one, act) {
  by("incident").hidden = false;
  put("title", `${facts.classes[one.class_code] || one.class_code} `, element("small", {}, one.case));
  put("stages", ...one.stages.map((name) => element("li", { class: name === one.stage ? "now" : "" , "aria-current": name === one.stage ? "step" : null }, name)));
  put("facts-of", ...[
    [t("State"), `${t(one.state)} · ${t(one.severity)} · ${t(`level ${one.level}`)}`],
    [t("Description"), one.description || "—"],
    [t("Place"), `${number(one.lon, 6)}, ${number(one.lat, 6)} (EPSG:4326)`],
    [t("Grid"), one.grid || t("outside every grid")],
    [t("Handler"), one.person || one.unit || "—"],
    [t("Reported"), `${time(one.reported_at)} · ${t(`channel ${one.channel}`)}`],
    ...one.people.map((who) => [(facts.roles[who.role] || who.role), `${who.name} ${who.duty_phone || ""}`]),
  ].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  put("deadlines", ...one.deadlines.filter((due) => !due.ended_at).map((due) => element("li", {}, due.paused_at ? "⏸ " : lightOf(due.light),
    ` ${t(`deadline ${due.kind}`)}${due.called ? ` (${due.called})` : ""}: ${time(due.due_at)} · ${due.paused_at ? t("the clock stands still") : leftOf(due.due_at)}`)));
  put("whistles", ...one.whistles.map((call) => element("li", {}, `${call.name} ${call.duty_phone}: ${call.reason} · ${call.answered_at ? `${t("has reported")} ${time(call.answered_at)}` : t("has not reported")}`)));
  put("course", ...one.course.toReversed().map(courseItem));
  put("spent", Object.entries(one.spent).map(([state, seconds]) => `${t(state)} ${number(seconds / 3600, 1)} ${t("hours")}`).join(" · "));
  put("photos", ...one.photos.map((photo) => element("img", { src: `/api/v1/incidents/${one.id}/photos/${photo}`, alt: t("Photo"), loading: "lazy" })));
  put("actions", ...Object.entries(one.actions).map(([action, needs]) => element("button", { type: "button", "data-action": action, onclick: () => ask(one, action, needs, act) }, t(`action ${action}`))));
  // What somebody is writing stays, unless it is of another incident or cannot be done any more.
  const asked = by("ask").dataset;
  if (Number(asked.incident) !== one.id || !(asked.asked in one.actions)) by("ask").hidden = true;
}

function courseItem(step) {
  const { reason, result, words, name, units, deadline, level, amount, unit, satisfaction } = step.detail;
  const more = [name, units?.join("、"), level && t(`level ${level}`), deadline && t(`deadline ${deadline}`),
    amount && `${amount} ${t(unit)}`, satisfaction && t(`satisfaction ${satisfaction}`), reason, result, words];
  return element("li", {}, element("b", {}, t(`action ${step.kind}`)), ` ${step.state_after ? t(step.state_after) : ""} `,
    element("small", {}, `${time(step.at)} · ${step.actor === "system" ? t("the program") : step.actor}`),
    ...more.filter(Boolean).map((part) => element("div", {}, part)));
}

// An action that needs nothing is done at once; what it needs is asked for beside the course.
function ask(one, action, needs, act) {
  if (!needs.length) return act(action, {});
  const form = by("ask");
  form.hidden = false;
  Object.assign(form.dataset, { incident: one.id, asked: action });
  form.replaceChildren(element("h3", {}, t(`action ${action}`)),
    ...needs.map((need) => element("label", {}, t(`need ${need}`), FIELDS[need]())),
    element("p", { class: "row" }, element("button", {}, t(`action ${action}`)), element("button", { type: "button", class: "quiet", onclick: () => { form.hidden = true; } }, t("Cancel"))));
  form.onsubmit = (event) => {
    event.preventDefault();
    form.hidden = true;
    act(action, given(form));
  };
  form.querySelector("textarea, select, input").focus();
}

function given(form) {
  const data = new FormData(form);
  const value = Object.fromEntries([...data.entries()].filter(([, one]) => one !== ""));
  if (data.has("units")) value.units = data.getAll("units").map(Number);
  if (value.unit) value.unit = Number(value.unit);
  if (value.amount) value.amount = Number(value.amount);
  return value;
}

// Who can go. `handlers`: send, draw (the way), why (everybody left out, asked for when opened).
export function showAdvice(advice, handlers) {
  const left = element("ul");
  const details = element("details", { ontoggle: () => details.open && !left.childElementCount && handlers.why().then((out) => left.replaceChildren(...out.slice(0, 500).map(leftItem))) },
    element("summary", {}, t("Left out")), left);
  put("advice", element("h2", {}, `${t("Who is there first")}: ${(facts.roles[advice.role] || advice.role)}`),
    ...advice.candidates.map((who, i) => candidate(who, i, handlers)),
    advice.candidates.length ? null : element("p", { class: "error" }, `${t("Nobody can go.")} ${advice.shortfall ? t(`shortfall ${advice.shortfall}`) : ""}`),
    details);
}

function leftItem(who) {
  return element("li", {}, `${who.name}: ${t(who.reason)}${who.time_s ? ` (${number(who.time_s / 60, 1)} ${t("min")})` : ""}`);
}

function candidate(who, i, handlers) {
  return element("div", { class: "row candidate", "data-person": who.person_id },
    element("button", { type: "button", class: "link who", onclick: () => handlers.draw(who) }, `${i + 1}. ${who.name} · ${number(who.time_s / 60, 1)} ${t("min")} · ${number(who.distance_m)} m · ${t(who.mode)}`),
    element("small", {}, [...who.codes.map((code) => t(`code ${code}`)), who.duty_phone, who.streets.slice(0, 6).join(" → ")].filter(Boolean).join(" · "), element("span", { class: "hole" })),
    facts.sends ? element("button", { type: "button", "data-send": who.person_id, onclick: () => handlers.send(who) }, t("Send")) : null);
}

// What each would leave behind stands beside them as soon as it is known.
export function showHoles({ minutes, holes }) {
  for (const one of holes) {
    const target = document.querySelector(`[data-person="${one.person_id}"] .hole`);
    if (target) target.textContent = ` · ${one.households ? `${t("leaves without help within")} ${minutes} ${t("min")}: ${number(one.households)} ${t("households")}` : t("leaves no gap")}`;
  }
}

export function showProposals(proposals, list, send) {
  const known = new Map(list.map((one) => [one.id, one]));
  put("batch-list", ...proposals.map((one) => element("li", { class: "row" },
    element("span", {}, `${known.get(one.incident)?.case} ${facts.classes[known.get(one.incident)?.class_code] || ""} → ${one.name} · ${number(one.time_s / 60, 1)} ${t("min")}`),
    element("button", { type: "button", "data-batch": one.incident, onclick: (event) => send(one, event.target) }, t("Send")))));
  by("batch-empty").hidden = proposals.length > 0;
}

export function showClusters(features, open) {
  put("clusters", ...(features.length ? [element("h2", {}, `${t("Clusters")} (${features.length})`)] : []),
    ...features.slice(0, 20).map(({ properties: one }) => element("p", { class: "row cluster" },
      element("span", {}, `${t(`cluster ${one.kind}`)} · ${facts.classes[one.class_code] || one.class_code} · ${one.count} · ${time(one.begin_s * 1000)} — ${time(one.end_s * 1000)}`),
      element("button", { type: "button", class: "quiet", onclick: () => open(one) }, t("Show")))));
}

export function showClosures(list, end) {
  put("closures", ...(list.length ? [element("h2", {}, `${t("Closures")} (${list.length})`)] : []),
    ...list.map((one) => element("p", { class: "row" },
      element("span", {}, `${one.reason || t("closed")} · ${one.ends ? `${t("until")} ${time(one.ends)}` : t("no end known")}`),
      element("button", { type: "button", class: "quiet", "data-reopen": one.id, onclick: () => end(one) }, t("Open again")))));
}

export function showNotices(notices, seen, open) {
  by("notice-count").textContent = String(notices.length);
  put("notices", ...notices.slice(0, 30).map((one) => element("li", { class: "row" },
    element("button", { type: "button", class: "link", onclick: () => open(one.incident) }, `${one.case} ${t(`action ${one.kind}`)} · ${time(one.made_at)}`),
    element("button", { type: "button", class: "quiet", "data-seen": one.id, onclick: () => seen(one) }, t("Seen")))));
}

export function say(words, kind = "") {
  by("said").textContent = words;
  by("said").className = kind;
}
