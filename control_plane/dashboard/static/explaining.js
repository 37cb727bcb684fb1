// One decision: its score as a bar of pluses and minuses, who was left out, the runner-up, and the smallest flip.

import { el } from "./dom.js";
import { money, percent, signed } from "./words.js";

const TERMS = [["value", 1, "success"], ["cost", -1, "cost"], ["time", -1, "time"], ["adjustment", 1, "adjustment"]];

export function explanation(body, found) {
  const widest = Math.max(1e-9, ...found.contenders.flatMap((one) => TERMS.map(([name]) => Math.abs(one[name]))));
  body.append(
    el("p", { class: "sentence", text: found.reasons.join("; ") || `by ${found.strategy}` }),
    el("dl", { class: "facts" },
      ...fact("Strategy", found.strategy), ...fact("Chance", percent(found.propensity, 1)),
      ...fact("Smallest change", found.flip ? `${found.flip.arm} ${found.flip.change}` : "no other arm could have been taken"),
      ...fact("Repeats", found.repeated ? "yes, to the same path" : "NO: decided again it comes out otherwise"),
      ...fact("Policy", found.policy_hash.slice(0, 12)), ...fact("State of", `position ${found.ledger_position}`)),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores" }, el("table", {},
      el("caption", { class: "quiet", text: "Scores in dollars: what success is worth, less cost and time" }),
      el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "Arm" }), el("th", { scope: "col", text: "Pluses and minuses" }),
        ...["Score", "Success", "Runs", "Chance"].map((text) => el("th", { scope: "col", class: "n", text })))),
      el("tbody", {}, ...found.contenders.map((one, place) => contender(one, place, found.arm, widest))))));
  if (found.filtered.length) {
    body.append(el("h3", { text: "Left out" }), el("ul", {}, ...found.filtered.map(([arm, why]) => el("li", { text: `${arm}: ${why}` }))));
  }
  if (found.bypassed.length) body.append(el("p", { text: `Bypassed strategies: ${found.bypassed.join(", ")}` }));
}

const fact = (name, text) => [el("dt", { text: name }), el("dd", { text })];

function contender(one, place, chosen, widest) {
  const bars = TERMS.filter(([name]) => one[name]).map(([name, sign, word]) => {
    const amount = sign * one[name], bar = el("span", { class: amount < 0 ? "bar minus" : "bar plus" });
    bar.style.width = `${Math.max(2, (Math.abs(amount) / widest) * 90)}px`;
    return el("span", { class: "term" }, bar, ` ${word} ${signed(amount)}`);
  });
  const rank = one.arm === chosen ? " (taken)" : place === 0 ? " (best score)" : "";
  return el("tr", one.arm === chosen ? { class: "taken" } : {}, el("th", { scope: "row", text: `${one.arm}${rank}` }),
    el("td", {}, ...bars), el("td", { class: "n", text: money(one.score) }),
    el("td", { class: "n", text: `${percent(one.success)} ±${(one.error * 100).toFixed(0)}` }),
    el("td", { class: "n", text: one.runs.toFixed(1) }), el("td", { class: "n", text: percent(one.chance, 1) }));
}
