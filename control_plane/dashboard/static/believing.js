// What this browser has seen before, and whether what the server says now fits it.

import { el } from "./dom.js";
import { read } from "./api.js";
import { CannotSay, NotProved, checkConsistency, hex, openNote, readLeaf, rootFromInclusion, same, unbase64 } from "./proof.js";

const KEPT = "control-plane.seen";

/** The key that was seen first, and the largest log whose root was verified here; by the origin of this page. */
function seen() {
  try { return JSON.parse(localStorage.getItem(KEPT)) ?? {}; } catch { return {}; }
}

function remember(facts) {
  try { localStorage.setItem(KEPT, JSON.stringify(facts)); } catch { /* then each visit is a first one */ }
}

export const forget = () => remember({});

/** The steps of a verification, each with what it found; throws at the first that does not hold. */
async function steps(position, expected, told) {
  const before = seen();
  const grown = await read(`/api/panels/extension?since=${before.size ?? 0}`).catch((fault) => {
    throw before.size && fault.status === 400
      ? new NotProved(`the log had ${before.size} events here before and has fewer now`) : fault;
  });
  const key = grown.verifier_key;
  if (before.key && before.key !== key) {
    throw new NotProved("the ledger's key is not the one that this browser saw first; compare `control-plane ledger key`");
  }
  const head = await openNote(grown.note, key);
  told(`checkpoint of ${head.size} events signed by ${key.split("+").slice(0, 2).join("+")}`);
  if (before.size) {
    await checkConsistency(before.size, unbase64(before.root), head.size, head.root, grown.path);
    told(`the ${before.size} events verified here before are its beginning`);
  } else told("first visit: this key and this log are remembered from now on");
  const found = await read(`/api/ledger/events/${position ?? head.size}`);
  if (position !== undefined && found.position !== position) throw new NotProved("the proof is of another event");
  const note = await openNote(found.note, key);
  if (found.verifier_key !== key) throw new NotProved("the proof names another key");
  if (note.size < head.size) throw new NotProved("the proof leads to an older log");
  if (note.size === head.size && !same(note.root, head.root)) throw new NotProved("two roots are signed for one size");
  const leaf = unbase64(found.leaf);
  const root = await rootFromInclusion(leaf, found.position - 1, note.size, found.path);
  if (!same(root, note.root)) throw new NotProved(`event ${found.position} is not in the log that was signed`);
  const event = readLeaf(leaf);
  if (expected) compare(event, expected);
  told(`event ${found.position}, ${event.topic}, is in it: ${found.path.length} hashes lead to root ${hex(root).slice(0, 16)}…`);
  remember({ key, size: head.size, root: btoa(String.fromCharCode(...head.root)) });
  return head;
}

function compare(event, expected) {
  const fits = event.topic === expected.topic && event.stream === expected.stream && event.version === expected.version
    && JSON.stringify(JSON.parse(event.state)) === JSON.stringify(expected.fact);
  if (!fits) throw new NotProved("the event that is shown is not the one that was signed");
}

/** Verify, and say in words what came of it. Without a position the newest event is taken. */
export async function verify(into, position, expected) {
  const list = el("ol", { class: "steps" });
  const told = (text) => list.append(el("li", { text }));
  let verdict, kind;
  try {
    const head = await steps(position, expected, told);
    verdict = `Verified: ${position === undefined ? `the log of ${head.size} events` : `event ${position}`} is as signed.`;
    kind = "yes";
  } catch (fault) {
    if (fault instanceof NotProved) [verdict, kind] = [`NOT verified: ${fault.message}.`, "no"];
    else if (fault instanceof CannotSay) [verdict, kind] = [`Not checked: ${fault.message}.`, "unknown"];
    else [verdict, kind] = [`Not checked: ${fault.message}`, "unknown"];
  }
  into.dataset.verdict = kind;
  into.replaceChildren(el("p", { class: `verdict-${kind}`, text: verdict }), list);
  if (kind === "no" && seen().key) {
    const again = () => { forget(); return verify(into, position, expected); };
    into.append(el("p", {}, "After a rotated key or a restored log that you know of: ",
      el("button", { type: "button", text: "Forget what was seen here and verify anew", on: { click: again } })));
  }
}
