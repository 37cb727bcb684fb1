// A policy's way from draft to enforce: where it stands, what holds it, and the step that somebody may take.

import { at, behind, el, keyed, say, show } from "./dom.js";
import { write } from "./api.js";
import { clock, percent, short } from "./words.js";

let acted = () => {};

export const onPolicyStep = (does) => { acted = does; };

export function showPolicies(panels) {
  show(at("policies-empty"), panels.policies.length === 0);
  keyed(at("policy-list"), panels.policies, (one) => one.policy, (one) => article(one, panels.stages), (child, one) => child.renew(one));
}

function article(one, stages) {
  const name = one.policy, title = `policy-${name}`;
  const standing = el("p"), gates = el("ul", { class: "plain gates" }), steps = el("ol", { class: "plain" });
  const track = el("ol", { class: "track", "aria-label": `Stages of ${name}` },
    ...stages.map((stage) => el("li", { text: stage, "data-stage": stage })));
  const answer = el("p", { class: "answer", role: "status", "aria-live": "polite" });
  const form = stepForm(name, answer);
  const made = el("article", { "aria-labelledby": title },
    el("h3", { id: title }, behind(name, { topic: "policy.", field: "policy", value: name }, "every event of this policy")),
    track, standing, gates, form, answer, el("details", {}, el("summary", { text: "How it came here" }), steps));
  made.renew = (now) => renew(now, { track, standing, gates, steps, form, stages });
  return made;
}

function renew(now, { track, standing, gates, steps, form, stages }) {
  const place = stages.indexOf(now.stage);
  [...track.children].forEach((stage, at) => {
    stage.className = at < place ? "done" : at === place ? "here" : "";
    if (at === place) stage.setAttribute("aria-current", "step");
    else stage.removeAttribute("aria-current");
  });
  const told = [`Revision ${now.revision}, ${short(now.hash)}`, `at ${now.stage}${now.share ? ` for ${percent(now.share)} of the work` : ""}`];
  if (now.in_force) told.push("in force");
  if (now.paused) told.push("paused: the artifact was not conclusive");
  say(standing, `${told.join("; ")}.`);
  keyed(gates, now.gates.filter((gate) => gate.asked), (gate) => gate.kind, () => el("li"), (child, gate) => {
    const open = gate.verdict === "ok";
    child.className = open ? "state good" : "state warn";
    say(child, `${open ? "✓" : "■"} ${gate.kind} gate: ${gate.verdict}${gate.words && !open ? ` (${gate.words})` : ""}${figures(gate.report)}`);
  });
  keyed(steps, now.steps, (step) => String(step.position), (step) => el("li", {},
    el("a", { href: `#/event?position=${step.position}`, text: clock(step.at) }),
    ` ${step.did}${step.stage ? ` · ${step.stage}` : ""} · ${step.actor}: ${step.words}`));
  form.renew(now);
}

function figures(report) {
  if (!report) return "";
  const told = [];
  if (report.acceptance_ratio !== undefined && report.acceptance_ratio !== null) told.push(`${percent(report.acceptance_ratio, 1)} of ${report.total} accepted`);
  if (report.risk) told.push(`risk ${report.risk}`);
  if (report.delta !== undefined && report.delta !== null) {
    told.push(`difference ${report.delta.toFixed(3)} (${report.low?.toFixed(3)} to ${report.high?.toFixed(3)}), ${report.samples} samples`);
  }
  return told.length ? ` · ${told.join(", ")}` : "";
}

function stepForm(name, answer) {
  const reason = el("input", { id: `why-${name}`, required: true, maxlength: "500", autocomplete: "off" });
  const on = el("button", { type: "submit", text: "Advance" });
  const back = el("button", { type: "button", text: "Roll back" });
  const form = el("form", { class: "inline" }, el("label", { for: `why-${name}`, text: "Reason" }), reason, on, back);
  let next = null;
  const step = async (which, body) => {
    if (!form.reportValidity()) return;
    on.disabled = back.disabled = true;
    try {
      const shown = await write(`/api/policies/${encodeURIComponent(name)}/${which}`, { reason: reason.value, ...body });
      say(answer, `${name} is at ${shown.stage} now.`);
      reason.value = "";
    } catch (fault) {
      say(answer, fault.message);
    }
    on.disabled = back.disabled = false;
    acted();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    step("advance", { to: next });
  });
  back.addEventListener("click", () => step("rollback", {}));
  form.renew = (now) => {
    next = now.next;
    show(on, next !== null);
    show(back, now.stage !== "draft");
    say(on, next ? `Advance to ${next}${next === "canary" ? ` (${percent(now.canary_share)})` : ""}` : "Advance");
  };
  return form;
}
