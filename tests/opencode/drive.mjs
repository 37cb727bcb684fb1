// Drives the plugin's hooks as OpenCode would, with a client that answers from memory; tells how long each turn waited.
//   node drive.mjs PLUGIN.mjs TURNS PAUSE_MS
import { pathToFileURL } from "node:url"

const [plugin, turns, pause] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const { ControlPlane, classify } = await import(pathToFileURL(plugin))
if (process.argv[5] === "classify") {
  const lines = JSON.parse(process.argv[6])
  console.log(JSON.stringify(lines.map(([text, agent]) => classify(text, agent))))
  process.exit(0)
}
const sleep = (ms) => new Promise((done) => setTimeout(done, ms))
const toasts = []
const model = { cost: { input: 1, output: 2 }, capabilities: {} }
const client = {
  config: { providers: async () => ({ data: { default: { fake: "fake-a" }, providers: [{ id: "fake", models: { "fake-a": model, "fake-b": model } }] } }) },
  app: { agents: async () => ({ data: [{ name: "build" }] }) },
  tui: { showToast: async (told) => { toasts.push(told.body.message) } },
  session: { status: async () => ({ data: {} }), abort: async () => ({}), promptAsync: async () => ({}), prompt: async () => ({}) },
}
const hooks = await ControlPlane({ client, directory: "/project", worktree: "/project" }, {})
const config = { model: "fake/fake-a" }
await hooks.config(config)
await sleep(1500)
const waited = [], models = []
for (let n = 0; n < turns; n++) {
  const id = `msg_${String(n).padStart(6, "0")}`, session = `ses_${n % 8}`
  const message = { id, sessionID: session, role: "user", agent: "build", model: { providerID: "control-plane", modelID: "auto" }, time: { created: Date.now() } }
  const begun = performance.now()
  await hooks["chat.message"]({ sessionID: session, model: message.model }, { message, parts: [{ id: `prt_${n}`, type: "text", text: "fix the bug" }] })
  waited.push(performance.now() - begun)
  models.push(`${message.model.providerID}/${message.model.modelID}`)
  const info = { id: `msg_${String(n).padStart(6, "0")}a`, role: "assistant", parentID: id, sessionID: session, ...message.model, cost: 0.001, tokens: { input: 100, output: 10, reasoning: 0, cache: { read: 0, write: 0 } }, time: { created: Date.now(), completed: Date.now() + 5 }, finish: "stop" }
  await hooks.event({ event: { type: "message.updated", properties: { info } } })
  await hooks.event({ event: { type: "session.idle", properties: { sessionID: session } } })
  if (pause) await sleep(pause)
}
await hooks.dispose()
console.log(JSON.stringify({ waited, models, toasts }))
process.exit(0)
