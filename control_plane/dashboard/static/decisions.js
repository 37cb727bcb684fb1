// Decisions as they come: a table of fixed length, renewed at most once a frame, that holds still while somebody reads.

import { at, el, keyed, say, show, stacking } from "./dom.js";
import { read } from "./api.js";
import { decisionAddress } from "./drawer.js";
import { clock, count, duration, money, percent } from "./words.js";

const SHOWN = 15;
const KEPT = 400;
const SAY_EVERY = 10_000;
const GATHER = 500;
const decisions = new Map();
let due = false, paused = false, reading = false, fresh = 0, saidAt = 0, telling = 0;
export let newest = 0;

export function startDecisions() {
  const button = at("pause"), table = at("decisions-table");
  button.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    say(button, paused ? "Go on" : "Pause");
    plan();
  });
  const hold = (value) => () => { reading = value; plan(); };
  table.addEventListener("pointerenter", hold(true));
  table.addEventListener("pointerleave", hold(false));
  table.addEventListener("focusin", hold(true));
  table.addEventListener("focusout", hold(false));
}

/** What happened before this page was opened, or while the stream was away. */
export async function catchUp() {
  const topics = "router.advice-given,router.result-recorded";
  const found = await read(`/api/panels/events?${new URLSearchParams({ topic: topics, since: newest + 1, limit: 100 })}`);
  const first = newest === 0;
  for (const one of found.events.reverse()) take(one, first);
}

export function take(one, quietly = false) {
  newest = Math.max(newest, one.position);
  const fact = one.fact;
  if (one.topic === "router.advice-given") {
    if (decisions.has(fact.decision)) return;
    decisions.set(fact.decision, { position: one.position, fact, outcome: null });
    if (decisions.size > KEPT) decisions.delete(decisions.keys().next().value);
    if (!quietly) fresh += 1;
  } else if (one.topic === "router.result-recorded" && decisions.has(fact.decision)) {
    decisions.get(fact.decision).outcome = { position: one.position, fact };
  } else return;
  plan();
}

function plan() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; render(); });
}

function render() {
  if (paused || reading) return;
  const lines = [...decisions.values()].slice(-SHOWN).reverse();
  show(at("decisions-empty"), lines.length === 0);
  show(at("decisions-table").parentElement, lines.length > 0);
  keyed(at("decisions-table").tBodies[0], lines, (one) => one.fact.decision, row, (child, one) => {
    const told = outcome(one.outcome);
    child.cells[4].className = told.look;
    say(child.cells[4].firstElementChild, told.text);
    if (one.outcome) child.cells[4].firstElementChild.setAttribute("href", `#/event?position=${one.outcome.position}`);
  });
  tell();
}

/** For those who listen: how many came, now and then, not each one. */
function tell() {
  const left = saidAt + SAY_EVERY - Date.now();
  if (!fresh || telling) return;
  telling = setTimeout(() => {
    telling = 0;
    saidAt = Date.now();
    say(at("news"), `${count(fresh)} new ${fresh === 1 ? "decision" : "decisions"} at ${clock(saidAt / 1000)}`);
    fresh = 0;
  }, Math.max(GATHER, left));
}

const row = ({ fact, position }) => stacking(el("tr", {},
  el("td", { text: clock(fact.at) }), el("td", { text: fact.repo ? `${fact.task_type} · ${fact.repo}` : fact.task_type }),
  el("th", { scope: "row" }, el("a", { href: decisionAddress(fact.decision), text: fact.arm, "aria-label": `${fact.arm}: why?` })),
  el("td", { text: reason(fact) }), el("td", {}, el("a", { class: "figure" })),
  el("td", { class: "n" }, el("a", { class: "figure", href: `#/event?position=${position}`, text: count(position) }))),
["", "", "", "", "", "Event"]);

/** What the event itself says of why; the whole score is one click away. */
function reason(fact) {
  const told = [`${fact.strategy}, chance ${percent(fact.propensity)}`];
  if (fact.override) told.push("asked for by the caller");
  if (fact.probed) told.push("a probe of its breaker");
  if (fact.stuck) told.push("the session was stuck");
  if (fact.in_tool_loop) told.push("held for a tool loop");
  if (fact.attempt > 1) told.push(`attempt ${fact.attempt}`);
  if (fact.bypassed?.length) told.push(`passed over: ${fact.bypassed.join(", ")}`);
  return told.join("; ");
}

function outcome(result) {
  if (!result) return { text: "", look: "" };
  const { success, error, latency_ms: ms, cost_usd: usd } = result.fact;
  const good = success === true, bad = success === false || (error && error !== "caller" && error !== "cancelled");
  const told = [good ? "✓ success" : bad ? `✗ ${error ?? "failure"}` : error ?? "not judged"];
  if (ms !== undefined && ms !== null) told.push(duration(ms));
  if (usd !== undefined && usd !== null) told.push(money(usd));
  return { text: told.join(", "), look: good ? "state good" : bad ? "state bad" : "" };
}
