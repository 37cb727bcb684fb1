// Runs of workers: a list, and each run as a page of its own that follows it while it goes on.

import { read, write } from "./api.js";
import { at, el, keyed, say, show } from "./dom.js";
import { complain, keepLooking } from "./looking.js";
import { clock, count, duration, money, short } from "./words.js";

const LIVE = 1_000, STILL = 5_000;
const MARKS = {
  running: "● running", stopping: "● stopping", gone: "▲ gone", completed: "✓ completed", stuck: "▲ stuck",
  aborted: "▲ aborted", "max-iterations": "▲ out of turns", "worker-failed": "▲ worker failed", lost: "▲ lost",
};
const VERDICTS = { verified: "✓ verified", failed: "✗ failed", unverifiable: "? unverifiable", stale: "▲ stale" };
const GOING = new Set(["running", "stopping"]);
const chosen = new URLSearchParams(location.search).get("run");

async function look() {
  if (chosen !== null) {
    const told = await read(`/api/runs/${encodeURIComponent(chosen)}`);
    showRun(told);
    return GOING.has(told.line.state) ? LIVE : STILL;
  }
  const { runs } = await read("/api/runs");
  show(at("runs-empty"), runs.length === 0);
  show(at("runs-table").parentElement, runs.length > 0);
  keyed(at("runs-table").tBodies[0], runs, (one) => one.run, runRow, fillRow);
  return runs.some((one) => GOING.has(one.state)) ? LIVE : STILL;
}

function runRow(one) {
  const place = `/assets/runs.html?${new URLSearchParams({ run: one.run })}`;
  return el("tr", {}, el("th", { scope: "row" }, el("a", { class: "figure", href: place, text: one.task })),
    el("td"), el("td"), el("td", { class: "n" }), el("td", { class: "n" }), el("td", { class: "n" }), el("td"),
    el("td", { class: "n" }), el("td", { class: "state", text: clock(one.begun) }));
}

function fillRow(row, one) {
  const [, state, verdict, turns, calls, loops, model, cost] = row.cells;
  state.className = `state ${mood(one.state)}`;
  say(state, MARKS[one.state] ?? one.state);
  verdict.className = `state ${weight(one.verdict)}`;
  say(verdict, VERDICTS[one.verdict] ?? "–");
  say(turns, `${count(one.iteration)} of ${count(one.max_iterations)}`);
  say(calls, count(one.calls));
  say(loops, count(one.loops));
  say(model, one.model || "OpenCode's own");
  say(cost, one.ended ? money(one.cost_usd) : "–");
}

function showRun(told) {
  const { line, story } = told;
  show(at("runs"), false);
  show(at("run"), true);
  say(at("run-title"), line.task);
  at("run-state").dataset.level = { good: "healthy", bad: "unhealthy" }[mood(line.state)] ?? "";
  say(at("run-state"), [MARKS[line.state] ?? line.state, told.reason].filter(Boolean).join(": "));
  show(at("stop"), line.state === "running");
  const events = `/#/events?${new URLSearchParams({ topic: "runner.", field: "run", value: line.run })}`;
  if (at("run-events").getAttribute("href") !== events) at("run-events").setAttribute("href", events);
  facts(at("run-facts"), factsOf(told));
  show(at("check-empty"), story.check === null);
  facts(at("check"), story.check === null ? [] : witnesses(story.check));
  show(at("turns-empty"), story.turns.length === 0);
  show(at("turns-table").parentElement, story.turns.length > 0);
  keyed(at("turns-table").tBodies[0], story.turns, (one) => `${one.iteration} ${one.at}`, turnRow);
  const happened = [
    ...story.loops.map((one) => ({ ...one, name: `loop: ${one.kind}` })),
    ...story.reviews.map((one) => ({ ...one, name: `reviewer: ${one.kind}` })),
    ...story.troubles.map((one) => ({ ...one, name: `error: ${one.kind}` })),
  ].sort((a, b) => a.at - b.at);
  show(at("happened-empty"), happened.length === 0);
  show(at("happened-table").parentElement, happened.length > 0);
  keyed(at("happened-table").tBodies[0], happened, (one) => `${one.name} ${one.at}`, happenedRow);
}

function factsOf({ line, ...told }) {
  const span = (line.ended || Date.now() / 1000) - line.begun;
  return [
    ["Run", line.run],
    ["Verdict", VERDICTS[line.verdict] ?? "none yet"],
    ["Turns", `${count(line.iteration)} of ${count(line.max_iterations)}`],
    ["Calls", count(line.calls)],
    ["Loops found", count(line.loops)],
    ["Model", line.model || "OpenCode's own", told.decision && `/#/decision?${new URLSearchParams({ id: told.decision })}`],
    ["Cost", line.ended ? `${money(line.cost_usd)}, ${count(told.tokens_in)} tokens in, ${count(told.tokens_out)} out` : "at the end"],
    ["Begun", clock(line.begun)],
    ["Lasted", duration(Math.max(0, span) * 1000)],
    ["Folder", told.directory],
    ["Session", told.session || "–"],
    ["Reviewer", told.reviewer || "none"],
    ["Exit code", told.exit_code === null ? "–" : String(told.exit_code)],
    ...(told.resumes ? [["Goes on with", told.resumes, `/assets/runs.html?${new URLSearchParams({ run: told.resumes })}`]] : []),
    ...(told.stop_asked ? [["Stop asked by", told.stop_asked]] : []),
  ];
}

function witnesses(check) {
  const counts = `${count(check.passed)} passed, ${count(check.failed)} failed, ${count(check.skipped)} skipped`;
  const files = check.changed.slice(0, 12).join(", ") + (check.changes > 12 ? ` and ${count(check.changes - 12)} more` : "");
  const missing = check.missing.length ? `; expected and not there: ${check.missing.join(", ")}` : "";
  return [
    ["Verdict", `${VERDICTS[check.verdict] ?? check.verdict}: ${check.reason} (turn ${count(check.iteration)}, ${clock(check.at)})`],
    ["Checks", check.command.length ? `${check.command.join(" ")} → exit ${check.exit_code ?? "–"}; ${counts}` : "no command was run"],
    ["Files", (files || "nothing changed") + missing],
    ["Workspace", short(check.tree)],
  ];
}

function facts(list, lines) {
  keyed(list, lines, ([name]) => name, ([name]) => el("div", {}, el("dt", { text: name }), el("dd")), (row, [, text, href]) => {
    const value = row.lastElementChild, link = value.querySelector("a");
    if (!href) return say(value, text);
    if (link?.getAttribute("href") !== href || link.textContent !== text) value.replaceChildren(el("a", { href, text }));
  });
}

function turnRow(one) {
  const model = one.model || "OpenCode's own";
  const why = one.decision && `/#/decision?${new URLSearchParams({ id: one.decision })}`;
  return el("tr", {}, el("td", { class: "n", text: count(one.iteration) }), el("td", { class: "state", text: clock(one.at) }),
    el("td", { text: one.source }), el("td", { class: "fact", text: one.text }),
    why ? el("td", {}, el("a", { class: "figure", href: why, "aria-label": `${model}: why it was chosen`, text: model }))
      : el("td", { text: model }));
}

function happenedRow(one) {
  return el("tr", {}, el("td", { class: "n", text: count(one.iteration) }), el("td", { class: "state", text: clock(one.at) }),
    el("td", { class: "state", text: one.name }), el("td", { class: "fact", text: one.what }), el("td", { text: one.answer || "–" }));
}

const mood = (state) => (state === "completed" ? "good" : GOING.has(state) ? "" : "bad");
const weight = (verdict) => ({ verified: "good", failed: "bad" })[verdict] ?? "";

const again = keepLooking(look);
at("stop").addEventListener("click", async () => {
  at("stop").disabled = true;
  try {
    showRun(await write(`/api/runs/${encodeURIComponent(chosen)}/stop`, {}));
    again();
  } catch (fault) {
    complain(fault);
  }
  at("stop").disabled = false;
});
