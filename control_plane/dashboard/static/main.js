// Puts the page together: the token, one look at everything, and then what the stream says is new.

import { Refused, findToken, forgetToken, keepToken, listen, read } from "./api.js";
import { redraw, showArms } from "./arms.js";
import { verify } from "./believing.js";
import { catchUp, newest, startDecisions, take } from "./decisions.js";
import { at, behind, el, keyed, say, show } from "./dom.js";
import { follow, keepPanels, startDrawer } from "./drawer.js";
import { onPolicyStep, showPolicies } from "./policies.js";
import { facts, onVerdict, showWaits } from "./waits.js";
import { count, percent, short } from "./words.js";

// Figures are looked at at most so often while events come, and so long without one at the latest.
const SOON = 1_000;
const LATE = 8_000;
// The first event of a commit seldom comes alone.
const GATHER = 60;
let timer = null, looking = false, again = false, plannedFor = Infinity, lookedAt = -SOON;

function plan(wait) {
  const when = performance.now() + wait;
  if (when >= plannedFor) return;
  plannedFor = when;
  clearTimeout(timer);
  timer = setTimeout(look, wait);
}

const planSoon = () => plan(Math.max(GATHER, lookedAt + SOON - performance.now()));

async function look() {
  plannedFor = Infinity;
  if (looking) {
    again = true;
    return;
  }
  looking = true;
  lookedAt = performance.now();
  try {
    const panels = await read(`/api/panels?window=${at("window").value}`);
    render(panels);
    // What another process of the same log wrote does not come over this server's stream.
    if (panels.health.position > newest) await catchUp();
    complain("");
  } catch (fault) {
    if (fault instanceof Refused && fault.status === 401) return ask(fault);
    complain(`The figures are old: ${fault.message}`);
  } finally {
    looking = false;
  }
  plan(again ? 0 : LATE);
  again = false;
}

function render(panels) {
  keepPanels(panels);
  const { health } = panels;
  say(at("sentence"), health.health.sentence);
  at("sentence").dataset.level = health.health.level;
  keyed(at("signals"), health.health.signals, (one) => one.name, () => el("li"), (child, one) => say(child, `−${one.points}: ${one.why}`));
  show(at("gaps-box"), health.gaps.length > 0);
  keyed(at("gaps"), health.gaps, (gap) => gap, (gap) => el("li", { text: gap }));
  facts(at("totals"), [
    ["Health", `${health.health.score} of 100`, { topic: "router." }],
    ["Decisions", count(health.decisions), { topic: "router.advice-given" }],
    ["Results", count(health.results), { topic: "router.result-recorded" }],
    ["Belong to a decision", percent(health.traceability), { topic: "router.result-recorded" }],
    ["Replay parity", percent(health.replay_parity, 2), { topic: "router.parity-measured" }],
    ["Not committed yet", count(health.backlog), { topic: "ledger." }],
    ["Data", health.fidelity.level, { topic: "router.result-recorded" }],
  ]);
  showArms(panels);
  showPolicies(panels);
  showWaits(panels);
  facts(at("head"), [
    ["Head", `${count(panels.head.size)} events`, { limit: 50 }],
    ["Root", short(panels.head.root), null],
    ["Key", panels.head.key.split("+").slice(0, 2).join("+"), { topic: "ledger." }],
    ["Replay parity", percent(health.replay_parity, 2), { topic: "router.parity-measured" }],
    ["Witness", witness(health), null],
  ]);
  showRetrieval(health.retrieval_quality);
  showFlags(panels.flags);
  say(at("foot"), `control plane ${health.version}. Every figure is read from one signed log.`);
}

const witness = (health) => health.health.signals.find((one) => one.name === "witness")?.why ?? "written";

function showRetrieval(quality) {
  const measured = quality.measured_at !== null;
  say(at("retrieval-caption"), `Retrieval quality, K = 5: ${quality.level}${quality.reason ? `, ${quality.reason}` : ""}`);
  const lines = [
    ["MAP@5", quality.value, "0.70", "0.50"], ["Grounded recall", quality.grounded_recall, "0.75", "0.60"],
    ["Hit rate@5", quality.hit_rate, "–", "–"], ["Hit rate in use", quality.live_hit_rate, "–", "–"],
  ];
  keyed(at("retrieval-table").tBodies[0], lines, ([name]) => name, ([name, , pass, warning]) => el("tr", {},
    el("th", { scope: "row", text: name }), el("td", { class: "n" }, behind("–", { topic: "memory." }, name)),
    el("td", { class: "n", text: pass }), el("td", { class: "n", text: warning })),
  (child, [, value]) => say(child.cells[1].firstElementChild, value === null || !measured && value === 0 ? "–" : value.toFixed(2)));
}

function showFlags(flags) {
  const lines = [...flags].sort((a, b) => (a.name < b.name ? -1 : 1));
  const set = lines.filter((one) => one.source !== "default"), others = lines.filter((one) => one.source === "default");
  show(at("flags-set").parentElement, set.length > 0);
  show(at("flags-empty"), set.length === 0);
  say(at("flags-count"), count(others.length));
  for (const [table, rows] of [["flags-set", set], ["flags-default", others]]) {
    keyed(at(table).tBodies[0], rows, (one) => one.name, (one) => el("tr", {},
      el("th", { scope: "row" }, behind(one.name, { topic: "flag.flipped", field: "name", value: one.name }, "its flips")),
      el("td"), el("td"), el("td", { text: one.rolls_back ? `${one.meaning} Rolls back: ${one.rolls_back}` : one.meaning })), (child, one) => {
      say(child.cells[1], one.value === "" ? "(empty)" : one.value);
      say(child.cells[2], one.source);
    });
  }
}

function complain(text) {
  say(at("notice"), text);
  show(at("notice"), text !== "");
}

function ask(fault) {
  forgetToken();
  show(at("entry"), true);
  show(at("panels"), false);
  say(at("link"), "not connected");
  if (fault) complain(fault.message);
  at("token").focus();
}

let listening = false;

function open() {
  show(at("entry"), false);
  show(at("panels"), true);
  complain("");
  look().then(follow);
  if (listening) return;
  listening = true;
  listen({
    state: (word) => {
      say(at("link"), word === "live" ? "live" : "reconnecting …");
      at("link").dataset.state = word;
      if (word === "live") plan(0);
    },
    event: (topic, told) => {
      if (topic !== "missed") take(told);
      planSoon();
    },
    refused: (refusal) => {
      listening = false;
      ask(refusal);
    },
  });
}

function startTheme() {
  const button = at("theme"), root = document.documentElement, next = { system: "light", light: "dark", dark: "system" };
  const word = () => root.dataset.theme ?? "system";
  const tell = () => say(button, `Theme: ${word()}`);
  button.addEventListener("click", () => {
    const chosen = next[word()];
    if (chosen === "system") delete root.dataset.theme;
    else root.dataset.theme = chosen;
    try { localStorage.setItem("control-plane.theme", chosen); } catch { /* for this visit, then */ }
    tell();
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  tell();
}

function start() {
  startTheme();
  startDrawer();
  startDecisions();
  onPolicyStep(() => plan(0));
  onVerdict(() => plan(0), complain);
  at("window").addEventListener("change", () => plan(0));
  at("verify").addEventListener("click", () => verify(at("verdict")));
  at("entry-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(at("token").value);
    at("token").value = "";
    open();
  });
  if (findToken()) open();
  else ask();
}

start();
