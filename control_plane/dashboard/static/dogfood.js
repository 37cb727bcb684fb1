// Runs of the dogfood suite; each has a page of its own, named by the root of its evidence.

import { read } from "./api.js";
import { at, el, keyed, say, show } from "./dom.js";
import { keepLooking } from "./looking.js";
import { clock, count } from "./words.js";

const EVERY = 5_000;
const MARKS = { PASS: "✓ PASS", FAIL: "▲ FAIL" };
const chosen = new URLSearchParams(location.search).get("root");

async function look() {
  render((await read("/api/dogfood/runs")).runs);
  return EVERY;
}

function render(runs) {
  const one = runs.find((run) => run.root === chosen);
  show(at("run"), one !== undefined);
  show(at("runs"), one === undefined);
  if (one !== undefined) {
    say(at("run-title"), `${one.run}: ${one.verdict}`);
    keyed(at("run-table").tBodies[0], factsOf(one), ([name]) => name, factRow);
    return;
  }
  show(at("runs-empty"), runs.length === 0);
  show(at("runs-table").parentElement, runs.length > 0);
  keyed(at("runs-table").tBodies[0], runs, (run) => run.root, runRow);
}

function runRow(run) {
  const place = `/assets/dogfood.html?${new URLSearchParams({ root: run.root })}`;
  return el("tr", {}, el("th", { scope: "row" }, el("a", { class: "figure", href: place, text: run.run })),
    el("td", { class: run.verdict === "PASS" ? "state" : "state bad", text: MARKS[run.verdict] ?? run.verdict }),
    el("td", { class: "n", text: count(run.passed) }), el("td", { class: "n", text: count(run.failed) }),
    el("td", { class: "n", text: count(run.skipped) }), el("td", { text: failures(run) }),
    el("td", { class: "state", text: clock(run.at) }));
}

function factsOf(run) {
  return [
    ["verdict", MARKS[run.verdict] ?? run.verdict],
    ["cases", `${count(run.passed)} passed, ${count(run.failed)} failed, ${count(run.skipped)} skipped`],
    ["failures", failures(run)],
    ["stopped", run.stop_reason || "–"],
    ["standalone", run.standalone ? "yes, one case alone" : "no"],
    ["commit", run.commit],
    ["root of the evidence", run.root],
    ["recorded", clock(run.at)],
  ];
}

function factRow([name, value]) {
  return el("tr", {}, el("th", { scope: "row", text: name }), el("td", { text: value }));
}

const failures = (run) => Object.entries(run.failures).map(([name, code]) => `${name} ${code}`).join(", ") || "–";

keepLooking(look);
