// The guardrails as they stand: modes, rules, what was decided, which sessions are protected, what is not covered.

import { read } from "./api.js";
import { at, el, keyed, say, show } from "./dom.js";
import { keepLooking } from "./looking.js";
import { clock, count } from "./words.js";

const EVERY = 2_000;
const behind = (topic, more = {}) => `/#/events?${new URLSearchParams({ topic, ...more })}`;

async function look() {
  const told = await read("/api/guard/status");
  const off = told.off_until > 0;
  at("guard-sentence").dataset.level = told.alert || off ? "unhealthy" : "healthy";
  say(at("guard-sentence"), off ? `▲ Switched off by a person until ${clock(told.off_until)}.`
    : told.alert ? `▲ ${told.alert}; the last good rules are in force.` : `✓ The rules ${told.rules.slice(0, 12)} are in force.`);
  keyed(at("guard-facts"), factsOf(told), ([name]) => name, ([name, , href]) => el("div", {}, el("dt", { text: name }),
    el("dd", {}, href ? el("a", { class: "figure", href }) : el("span"))), (row, [, text]) => say(row.lastElementChild.firstElementChild, text));
  const sessions = Object.entries(told.protected);
  show(at("sessions-empty"), sessions.length === 0);
  keyed(at("sessions"), sessions, ([name]) => name, () => el("li"), (row, [name, safe]) => {
    row.className = safe ? "" : "bad";
    say(row, `${safe ? "✓" : "▲"} ${name}: ${safe ? "protected" : "not protected"}`);
  });
  keyed(at("beyond"), told.not_covered, (words) => words, (words) => el("li", { text: words }));
  return EVERY;
}

function factsOf(told) {
  return [
    ["Mode", told.told ?? "as each family says"],
    ["Enforced", told.enforced.join(", ") || "no family"],
    ["In shadow", told.shadow.join(", ") || "no family"],
    ["Decisions", count(told.decisions), behind("guard.decided")],
    ["Blocked", count(told.blocks), behind("guard.decided", { field: "live", value: "block" })],
    ["Would have been blocked", count(told.would_blocks), behind("guard.decided", { field: "would", value: "block" })],
    ["Sessions", count(told.sessions)],
    ["Checks that failed", count(told.hook_failures), behind("guard.hook-failed")],
  ];
}

keepLooking(look);
