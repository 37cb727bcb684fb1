// Everything that wants a person, oldest first, with one action each.

import { at, behind, el, keyed, say, show } from "./dom.js";
import { write } from "./api.js";
import { count, hours } from "./words.js";

const KINDS = { review: "Reviews", "paused policy": "Paused policies", "plugin in quarantine": "Plugins in quarantine",
  "guard hit": "Guard hits without a label", "blocked thread": "Blocked threads", "undelivered wake": "Undelivered wakes" };
const TOPICS = { review: "review.", "paused policy": "policy.paused", "plugin in quarantine": "plugin.",
  "guard hit": "guard.decided", "blocked thread": "bridge.thread-status-changed", "undelivered wake": "bridge.wake-died" };

let acted = () => {};
let complain = () => {};

export function onVerdict(does, says) {
  acted = does;
  complain = says;
}

export function showWaits(panels) {
  const { review, waits, window } = panels;
  show(at("waits-empty"), waits.oldest.length === 0);
  show(at("waits-table").parentElement, waits.oldest.length > 0);
  keyed(at("waits-table").tBodies[0], waits.oldest, (one) => `${one.kind} ${one.name} ${one.rule}`, row, (child, one) => {
    const age = (window.now - one.since) / 3600, late = age >= review.slo.target_hours;
    child.cells[2].className = late ? "n state bad" : "n";
    say(child.cells[2], `${late ? "▲ " : ""}${hours(age)}`);
    say(child.cells[3], one.words);
  });
  facts(at("review-facts"), [
    ...Object.entries(waits.counts).map(([kind, number]) => [KINDS[kind], count(number), { topic: TOPICS[kind] }]),
    ["p95 of the reviews' age", `${hours(review.slo.p95_hours)} of ${hours(review.slo.target_hours)}`, { topic: "review." }],
    ["Resolved in time", `${Math.round(review.throughput.on_time * 100)} % of ${count(review.throughput.due)} due this week`, { topic: "review.resolved" }],
    ["Learning records refused", count(Object.values(panels.health.rejected_records).reduce((a, b) => a + b, 0)), { topic: "learning." }],
  ]);
}

/** Name, figure, and the events behind it. */
export function facts(list, lines) {
  keyed(list, lines, ([name]) => name, ([name, text, filter]) => el("div", {}, el("dt", { text: name }),
    el("dd", {}, filter ? behind(text, filter, name) : el("span", { text }))),
  (child, [, text]) => say(child.lastElementChild.firstElementChild, text));
}

const BUTTONS = {
  review: [["Approve", (one) => [`/api/policy-review/${encodeURIComponent(one.name)}`, { verdict: "approved" }]],
    ["Reject", (one) => [`/api/policy-review/${encodeURIComponent(one.name)}`, { verdict: "rejected" }]]],
  "guard hit": [["Right", (one) => ["/api/guard/label", { decision_id: one.name, rule: one.rule, label: "TP" }]],
    ["Wrong", (one) => ["/api/guard/label", { decision_id: one.name, rule: one.rule, label: "FP" }]]],
};

function row(one) {
  const decide = (ask) => async () => {
    try {
      await write(...ask(one));
    } catch (fault) {
      complain(fault.message);
    }
    acted();
  };
  const actions = (BUTTONS[one.kind] ?? []).map(([text, ask]) =>
    el("button", { type: "button", text, "aria-label": `${text} ${one.name}`, on: { click: decide(ask) } }));
  return el("tr", {}, el("th", { scope: "row" }, behind(one.name, { topic: one.topic, field: one.field, value: one.value }, "its events")),
    el("td", { text: one.kind }), el("td", { class: "n" }), el("td"),
    el("td", {}, actions.length ? el("span", { class: "inline" }, ...actions) : el("code", { text: one.command })));
}
