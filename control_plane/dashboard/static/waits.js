// Everything that wants a person, oldest first, with one action each.

import { at, behind, el, keyed, say, show } from "./dom.js";
import { write } from "./api.js";
import { count, hours } from "./words.js";

let acted = () => {};
let complain = () => {};

export function onVerdict(does, says) {
  acted = does;
  complain = says;
}

export function showWaits(panels) {
  const { review } = panels;
  const lines = [
    ...review.sample.map((item) => ({ key: `review ${item.id}`, name: item.id, kind: item.kind, age: item.age_hours,
      words: item.evidence, filter: { topic: "review.", field: "item", value: item.id }, item: item.id })),
    ...panels.policies.filter((one) => one.paused).map((one) => ({ key: `policy ${one.policy}`, name: one.policy,
      kind: "paused policy", age: (panels.window.now - (one.steps[0]?.at ?? panels.window.now)) / 3600,
      words: "its artifact was not conclusive; it waits for another", filter: { topic: "policy.", field: "policy", value: one.policy } })),
  ].sort((a, b) => b.age - a.age);
  show(at("waits-empty"), lines.length === 0);
  show(at("waits-table").parentElement, lines.length > 0);
  keyed(at("waits-table").tBodies[0], lines, (one) => one.key, row, (child, one) => {
    const late = one.age >= review.slo.target_hours;
    child.cells[2].className = late ? "n state bad" : "n";
    say(child.cells[2], `${late ? "▲ " : ""}${hours(one.age)}`);
  });
  facts(at("review-facts"), [
    ["Waiting", count(review.pending), { topic: "review.queued,review.resolved" }],
    ["p95 of their age", `${hours(review.slo.p95_hours)} of ${hours(review.slo.target_hours)}`, { topic: "review." }],
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

function row(one) {
  const decide = (verdict) => async () => {
    try {
      await write(`/api/policy-review/${encodeURIComponent(one.item)}`, { verdict });
    } catch (fault) {
      complain(fault.message);
    }
    acted();
  };
  const actions = one.item === undefined
    ? el("a", { href: "#policies", text: "See the policy" })
    : el("span", { class: "inline" }, ...[["Approve", "approved"], ["Reject", "rejected"]].map(([text, verdict]) =>
      el("button", { type: "button", text, "aria-label": `${text} ${one.name}`, on: { click: decide(verdict) } })));
  return el("tr", {}, el("th", { scope: "row" }, behind(one.name, one.filter, "its events")), el("td", { text: one.kind }),
    el("td", { class: "n" }), el("td", { text: one.words }), el("td", {}, actions));
}
