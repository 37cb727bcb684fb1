// Checks a proof in this browser: SHA-256 Merkle paths (RFC 6962) and a C2SP note signed with Ed25519.
// Nothing here believes the server: it says no unless every step holds.

const utf8 = new TextEncoder();

export class NotProved extends Error {}
export class CannotSay extends Error {}

function demand(holds, why) {
  if (!holds) throw new NotProved(why);
}

export function unbase64(text) {
  let raw;
  try { raw = atob(text); } catch { throw new NotProved("a hash or signature is not base64"); }
  demand(btoa(raw) === text, "base64 is not canonical");
  return Uint8Array.from(raw, (char) => char.charCodeAt(0));
}

const join = (...parts) => {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    joined.set(part, place);
    place += part.length;
  }
  return joined;
};

export const same = (a, b) => a.length === b.length && a.every((byte, place) => byte === b[place]);
export const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function subtle() {
  if (!globalThis.crypto?.subtle) throw new CannotSay("this browser offers no Web Crypto here (it takes https or loopback)");
  return crypto.subtle;
}

const sha256 = async (bytes) => new Uint8Array(await subtle().digest("SHA-256", bytes));
export const leafHash = (leaf) => sha256(join(Uint8Array.of(0), leaf));
const nodeHash = (left, right) => sha256(join(Uint8Array.of(1), left, right));

function hashes(path) {
  const read = path.map(unbase64);
  demand(read.every((one) => one.length === 32), "a hash in the proof does not have 32 bytes");
  return read;
}

/** The root to which a leaf's path leads; `index` counts from 0. */
export async function rootFromInclusion(leaf, index, size, path) {
  demand(Number.isSafeInteger(index) && index >= 0 && index < size, "the event lies outside the tree");
  const rest = hashes(path);
  let node = await leafHash(leaf), place = BigInt(index), last = BigInt(size) - 1n;
  while (last > 0n) {
    demand(rest.length > 0, "the inclusion proof is too short");
    if (place % 2n === 1n || place === last) {
      node = await nodeHash(rest.shift(), node);
      while (place % 2n === 0n) {
        place >>= 1n;
        last >>= 1n;
      }
    } else node = await nodeHash(node, rest.shift());
    place >>= 1n;
    last >>= 1n;
  }
  demand(rest.length === 0, "the inclusion proof is too long");
  return node;
}

/** Whether the tree of `old` leaves is the beginning of that of `size`. */
export async function checkConsistency(old, oldRoot, size, root, path) {
  demand(old <= size, `the log had ${old} events here before and has ${size} now`);
  if (old === size) return demand(path.length === 0 && same(oldRoot, root), "the same size has another root");
  demand(old > 0, "there is nothing to compare with");
  const rest = hashes(path);
  const next = () => {
    demand(rest.length > 0, "the consistency proof is too short");
    return rest.shift();
  };
  let place = BigInt(old) - 1n, last = BigInt(size) - 1n;
  while (place % 2n === 1n) {
    place >>= 1n;
    last >>= 1n;
  }
  let left = place > 0n ? next() : oldRoot, right = left;
  while (last > 0n) {
    if (place % 2n === 1n || place === last) {
      const sibling = next();
      left = await nodeHash(sibling, left);
      right = await nodeHash(sibling, right);
      while (place % 2n === 0n && place > 0n) {
        place >>= 1n;
        last >>= 1n;
      }
    } else right = await nodeHash(right, next());
    place >>= 1n;
    last >>= 1n;
  }
  demand(rest.length === 0 && same(left, oldRoot) && same(right, root), "the log is not the one that was seen here before");
}

/** `name+hash+base64`, with the hash made anew. */
async function readKey(text) {
  const [name, hint, ...key] = text.trim().split("+");
  const raw = unbase64(key.join("+"));
  demand(raw.length === 33 && raw[0] === 1, "the key is no Ed25519 verifier key");
  const own = (await sha256(join(utf8.encode(`${name}\n`), raw))).slice(0, 4);
  demand(hex(own) === hint, "the key's hash does not fit its name and bytes");
  return { name, hint: own, raw: raw.slice(1) };
}

/** What a signed note says, once its signature holds. */
export async function openNote(note, verifier) {
  const key = await readKey(verifier);
  const end = note.lastIndexOf("\n\n");
  demand(end > 0 && note.endsWith("\n"), "the checkpoint is no signed note");
  const text = note.slice(0, end + 1);
  const signatures = note.slice(end + 2, -1).split("\n").map((line) => {
    const parts = line.split(" ");
    demand(parts.length === 3 && parts[0] === "—", "a signature line cannot be read");
    return { name: parts[1], raw: unbase64(parts[2]) };
  });
  const own = signatures.filter((one) => one.name === key.name && same(one.raw.slice(0, 4), key.hint));
  demand(own.length > 0, "the known key did not sign this checkpoint");
  for (const one of own) demand(await signedBy(key.raw, one.raw.slice(4), utf8.encode(text)), "the signature does not hold");
  const [origin, size, root] = text.split("\n");
  demand(/^(0|[1-9][0-9]{0,15})$/.test(size), "the checkpoint has no size");
  const bytes = unbase64(root);
  demand(bytes.length === 32, "the checkpoint has no root");
  return { origin, size: Number(size), root: bytes, key };
}

async function signedBy(raw, signature, message) {
  let key;
  try {
    key = await subtle().importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
  } catch (fault) {
    if (fault instanceof CannotSay) throw fault;
    throw new CannotSay("this browser cannot check Ed25519 signatures, so only the hashes could be checked here");
  }
  return subtle().verify({ name: "Ed25519" }, key, signature, message);
}

/** The event inside a leaf's exact bytes. */
export function readLeaf(leaf) {
  const text = new TextDecoder("utf-8", { fatal: true });
  const view = new DataView(leaf.buffer, leaf.byteOffset, leaf.length);
  try {
    demand(leaf[0] === 1, "the event has an unknown format");
    const streamEnd = 3 + view.getUint16(1), topicStart = streamEnd + 10;
    const topicEnd = topicStart + view.getUint16(streamEnd + 8);
    demand(topicEnd <= leaf.length, "the event's bytes end too early");
    return {
      stream: text.decode(leaf.slice(3, streamEnd)),
      version: Number(view.getBigUint64(streamEnd)),
      topic: text.decode(leaf.slice(topicStart, topicEnd)),
      state: text.decode(leaf.slice(topicEnd)),
    };
  } catch (fault) {
    if (fault instanceof NotProved) throw fault;
    throw new NotProved("the event's bytes cannot be read");
  }
}
