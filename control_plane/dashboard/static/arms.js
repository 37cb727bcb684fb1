// One row an arm: share, success with its interval, cost, times as figures and as a small chart on the common scale.

import { at, behind, el, keyed, refigure, say, show, stacking } from "./dom.js";
import { clock, count, duration, money, percent } from "./words.js";

const charts = new Map();
const HEIGHT = 84;
const LABELS = ["", "", "Share", "Success", "$ a run", "p50", "p95", "p99", ""];

export function showArms(panels) {
  const cooled = new Map(panels.health.cooled.map((one) => [one.name, one]));
  const arms = [...panels.arms].sort((a, b) => weight(b, cooled, panels) - weight(a, cooled, panels) || (a.arm < b.arm ? -1 : 1));
  show(at("arms-empty"), arms.length === 0);
  const view = { window: panels.window, cooled, penalties: panels.penalties, span: scale(arms) };
  keyed(at("arms-table").tBodies[0], arms, (arm) => arm.arm, row, (child, arm) => child.renew(arm, view));
  for (const name of charts.keys()) if (!arms.some((arm) => arm.arm === name)) drop(name);
  showBreakers(panels);
}

/** What matters now comes first: who is passed over, who is slow, then who has most of the work. */
const weight = (arm, cooled, panels) =>
  (cooled.has(arm.arm) ? 4 : 0) + (panels.penalties[arm.arm] ? 2 : 0) + Math.round(arm.share * 10) / 10;

function scale(arms) {
  const all = arms.flatMap((arm) => [...arm.line.p50, ...arm.line.p99]).filter((value) => value > 0);
  return all.length ? [10 ** Math.floor(Math.log10(Math.min(...all))), 10 ** Math.ceil(Math.log10(Math.max(...all) * 1.01))] : [1, 1000];
}

function row(arm) {
  const name = arm.arm, figures = {};
  for (const key of ["share", "success", "cost", "p50", "p95", "p99"]) figures[key] = behind("–", {});
  const state = el("td"), low = el("span", { class: "band" }), dot = el("span", { class: "dot" });
  const interval = el("span", { class: "quiet interval" });
  const plot = el("div", { class: "plot", role: "img" });
  const made = stacking(el("tr", {},
    el("th", { scope: "row" }, behind(name, { field: "arm", value: name }, "all events of this arm")), state,
    el("td", { class: "n" }, figures.share),
    el("td", {}, figures.success, interval, el("span", { class: "scale", "aria-hidden": "true" }, low, dot)),
    ...["cost", "p50", "p95", "p99"].map((key) => el("td", { class: "n" }, figures[key])),
    el("td", {}, plot, el("a", { class: "small", href: `#/buckets?${new URLSearchParams({ arm: name })}`, text: "as a table",
      "aria-label": `${name}: times as a table` }))), LABELS);
  made.renew = (now, view) => {
    const results = { topic: "router.result-recorded", field: "arm", value: name, since: view.window.first_position };
    refigure(figures.share, percent(now.share), { ...results, topic: "router.advice-given" });
    refigure(figures.success, now.judged ? percent(now.successes / now.judged) : "–", results);
    say(interval, now.judged ? `${percent(now.low)} to ${percent(now.high)}, ${count(now.judged)} runs` : "no result");
    refigure(figures.cost, now.paid ? money(now.cost / now.paid) : "–", results);
    for (const key of ["p50", "p95", "p99"]) refigure(figures[key], duration(now[key]), results);
    low.style.left = `${(now.low ?? 0) * 100}%`;
    low.style.width = `${((now.high ?? 0) - (now.low ?? 0)) * 100}%`;
    dot.style.left = now.judged ? `${(now.successes / now.judged) * 100}%` : "-9px";
    renewState(state, view.cooled.get(name), view.penalties[name], view.window.now);
    draw(name, plot, now, view);
  };
  return made;
}

function renewState(cell, cooled, penalty, now) {
  const text = cooled
    ? `■ breaker ${cooled.state}, ${cooled.until > now ? `for ${duration((cooled.until - now) * 1000)} more` : "a probe is due"}`
    : penalty ? `▲ slow tail −${penalty.toFixed(2)}` : "● takes work";
  cell.className = cooled ? "state bad" : penalty ? "state warn" : "state good";
  cell.title = cooled?.reason ?? "";
  say(cell, text);
}

const colours = () => {
  const probe = el("span", { hidden: true });
  document.body.append(probe);
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = { p50: of("quiet"), p95: of("accent"), p99: of("bad"), line: of("rule"), text: of("quiet") };
  probe.remove();
  return found;
};

function draw(name, plot, arm, view) {
  const { window: span, span: scaled } = view;
  const width = span.seconds / arm.line.count.length;
  const times = arm.line.count.map((_, place) => span.begin + (place + 0.5) * width);
  const data = [times, arm.line.p50, arm.line.p95, arm.line.p99];
  plot.setAttribute("aria-label", `${name}: p50 ${duration(arm.p50)}, p95 ${duration(arm.p95)}, p99 ${duration(arm.p99)} over `
    + `${duration(span.seconds * 1000)}; the figures are in the table`);
  let kept = charts.get(name);
  if (!kept) {
    kept = { plot, scaled, times: [span.begin, span.now] };
    charts.set(name, kept);
    kept.chart = build(kept, data);
  } else {
    kept.scaled = scaled;
    kept.times = [span.begin, span.now];
    kept.chart.setData(data);
  }
}

function build(kept, data) {
  const look = colours();
  const axis = { stroke: look.text, font: "10px system-ui, sans-serif", ticks: { show: false } };
  const curve = (stroke, width, dash) => ({ stroke, width, dash, spanGaps: true, points: { size: 3, fill: stroke } });
  return new uPlot({
    width: 260, height: HEIGHT, legend: { show: false }, cursor: { show: false }, padding: [6, 6, 0, 0],
    scales: { x: { time: true, range: () => kept.times }, y: { distr: 3, range: () => kept.scaled } },
    axes: [
      { ...axis, size: 18, space: 80, grid: { show: false } },
      { ...axis, size: 46, grid: { stroke: look.line, width: 1 }, splits: () => decades(kept.scaled), filter: (_, marks) => marks,
        values: (_, marks) => marks.map(decade) },
    ],
    series: [{}, curve(look.p50, 1, [2, 2]), curve(look.p95, 1.5), curve(look.p99, 1.5, [6, 3])],
  }, data, kept.plot);
}

const decade = (ms) => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`);

function decades([low, high]) {
  const marks = [];
  for (let mark = low; mark <= high * 1.001; mark *= 10) marks.push(Number(mark.toPrecision(6)));
  return marks;
}

function drop(name) {
  charts.get(name).chart.destroy();
  charts.delete(name);
}

/** The look has changed: canvases do not follow style sheets by themselves. */
export function redraw() {
  for (const kept of charts.values()) {
    const data = kept.chart.data;
    kept.chart.destroy();
    kept.chart = build(kept, data);
  }
}

function showBreakers(panels) {
  const lines = [
    ...panels.health.cooled.map((one) => ({ who: one.name, state: one.state, reason: one.reason, until: one.until,
      filter: { topic: "router.breaker-moved", field: "subject", value: one.name } })),
    ...panels.bypasses.map((one) => ({ who: one.strategy, state: "bypassed strategy", reason: one.reason, until: one.until,
      filter: { topic: "router.strategy-", field: "strategy", value: one.strategy } })),
  ];
  show(at("breakers-empty"), lines.length === 0);
  show(at("breakers-table").parentElement, lines.length > 0);
  keyed(at("breakers-table").tBodies[0], lines, (one) => `${one.state} ${one.who}`, (one) => el("tr", {},
    el("th", { scope: "row" }, behind(one.who, one.filter, "the events of its breaker")),
    el("td", { text: one.state }), el("td"), el("td")), (child, one) => {
    say(child.cells[2], one.reason);
    say(child.cells[3], one.until > panels.window.now ? clock(one.until) : "the next probe");
  });
  const moves = panels.moves.slice(0, 6);
  show(at("moves-empty"), moves.length === 0);
  keyed(at("moves"), moves, (one) => String(one.position), (one) => el("li", {},
    el("a", { href: `#/event?position=${one.position}`, text: clock(one.at) }),
    ` ${one.subject}: ${one.before} → ${one.after}, ${one.reason}`));
}
