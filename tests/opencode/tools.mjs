// Calls the plugin's hook before each of these shell commands, as OpenCode would; tells what became of each, and the toasts.
//   node tools.mjs PLUGIN.mjs COMMAND…
import { pathToFileURL } from "node:url"

const { ControlPlane } = await import(pathToFileURL(process.argv[2]))
const toasts = []
const client = {
  config: { providers: async () => ({ data: { default: {}, providers: [] } }) },
  app: { agents: async () => ({ data: [] }) },
  tui: { showToast: async (told) => { toasts.push(told.body.message) } },
}
const hooks = await ControlPlane({ client, directory: "/project", worktree: "/project" }, {})
await hooks.config({})
const went = []
for (const command of process.argv.slice(3)) {
  try { await hooks["tool.execute.before"]({ tool: "bash", sessionID: "ses_1", callID: command }, { args: { command } }); went.push("") }
  catch (fault) { went.push(fault.message) }
}
console.log(JSON.stringify({ went, toasts }))
process.exit(0)
