// The control plane's plugin for OpenCode 1.x. One file, no dependencies; `control-plane opencode install` puts it here.
// It observes. With auto on it chooses the model of turns whose model is control-plane/auto, and of no others.
// Whatever is wrong with the control plane, a turn goes on, and waits no longer than `PATIENCE_MS` for it; a tool waits for its
// guard check up to `GUARD_MS`, and where guardrails are enforced no answer is a no.
// What leaves this process: ids, hashes, sizes, paths, models, tokens, costs, times. Answers and keys do not; prompts only after
// `control-plane opencode samples on`.
import { createHash } from "node:crypto"
import { spawn } from "node:child_process"
import { closeSync, ftruncateSync, fstatSync, openSync, readFileSync, writeFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { isatty } from "node:tty"

const SETTINGS = {}

const AUTO = "control-plane/auto"
const PATIENCE_MS = SETTINGS.wait_ms || 40 // what a turn waits for the control plane, at most
const FIRST_MS = SETTINGS.first_ms || 5000 // what the first turn of a process waits at most, while a server is being started for it
const SERVER_MS = 10000 // a server that was started may take so long until it answers
const ALIVE_MS = 180000 // the server ends once nobody has asked for a while; who is still here says so
const GUARD_MS = SETTINGS.guard_ms || 5000 // what a tool waits for its guard check, at most
const BACKGROUND_MS = 3000 // what nobody waits for may take longer
const SIGN_MS = 2500 // a model that gives no sign of life for so long is taken to hang; see `patience`
const QUEUE = 1000
const QUESTION_MS = SETTINGS.question_ms || 15000 // without a terminal a question is rejected after this
const STOP_MS = 15 * 60 * 1000 // stop checks run programs
// Tools that change nothing: after any other a turn is not moved to another model.
const HARMLESS = /^(read|glob|grep|list|ls|todowrite|todoread|skill|question|invalid|list_mcp_.*|read_mcp_.*)$/

// Task types: the type whose words are found most often wins; none or a tie is `general`. docs/opencode.md shows them.
const TASK_TYPES = {
  "code.fix": /\b(fix(es|ed|ing)?|bugs?|broken|crash(es|ed|ing)?|fail(s|ed|ing|ure)?|errors?|exception|traceback|regression|debug)\b/gi,
  "code.feature": /\b(implement(s|ed|ing)?|add(s|ed|ing)?|create(s|d)?|build|support|feature|endpoint|new (function|class|module|page|command|route))\b/gi,
  "code.refactor": /\b(refactor(s|ed|ing)?|renam(e|es|ed|ing)|clean ?up|simplif(y|ies|ied)|extract|dedup(licate)?|restructure|move .* to)\b/gi,
  "code.test": /\b(unit tests?|write tests?|add tests?|test coverage|pytest|jest|vitest|fixtures?)\b/gi,
  "code.review": /\b(review|code ?review|audit|critique|look over)\b/gi,
  "code.explain": /\b(explain|what does|how does|why does|understand|walk me through|where is)\b/gi,
  "docs.write": /\b(readme|docs?|documentation|docstrings?|changelog|comments?)\b/gi,
  "ops.run": /\b(deploy|docker(file)?|ci|pipeline|kubernetes|release|install|upgrade|migrate)\b/gi,
}

export function classify(text, agent) {
  if (agent === "plan") return "plan"
  let best = "general", most = 0
  for (const [type, words] of Object.entries(TASK_TYPES)) {
    const found = (text.match(words) || []).length
    if (found > most) [best, most] = [type, found]
    else if (found === most && found > 0) best = "general"
  }
  return best
}

const nameOf = (model) => (model ? `${model.providerID}/${model.modelID}` : "")
const refOf = (name) => ({ providerID: name.slice(0, name.indexOf("/")), modelID: name.slice(name.indexOf("/") + 1) })
const sleep = (ms) => new Promise((done) => setTimeout(done, ms))
const now = () => Date.now()

function lastWords(path, from) {
  try { return readFileSync(path).subarray(from).toString().trim().split(/\s*\n\s*/).slice(-4).join("; ").slice(-600) } catch { return "it said nothing" }
}

// The way to the control plane: an address and a token from its home, one outage at a time, a queue for what can wait.
class Link {
  constructor(settings, told) {
    Object.assign(this, { settings, told, url: null, token: "", down: false, lates: 0, coolUntil: 0, reviving: null, queue: [], sending: null, started: 0, server: null, broken: "", greeted: false })
  }
  // A server is on its way: one that was started, still runs, and may yet answer.
  get starting() { return this.server !== null && now() - this.started < SERVER_MS }
  // Whether waiting makes sense: nobody has answered so far, and nothing says that nobody will.
  get hopeful() { return !this.greeted && !this.broken && !!this.reviving && (!this.down || this.starting) }
  get reason() { return this.broken || this.why || "no server answers yet" }
  get well() { return this.url !== null && !this.down && now() >= this.coolUntil }
  read() {
    const at = JSON.parse(readFileSync(join(this.settings.home, "opencode-server.json"), "utf8"))
    this.token = readFileSync(join(this.settings.home, "token"), "utf8").trim()
    this.url = at.url
  }
  async ask(path, body, ms) {
    const answer = await fetch(this.url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(ms),
    })
    const text = await answer.text()
    if (!(answer.headers.get("content-type") || "").includes("json")) throw new Error(`${path} answers no JSON`)
    const said = JSON.parse(text)
    if (answer.status >= 500 || answer.status === 401) throw new Error(`${path}: HTTP ${answer.status}`)
    if (!answer.ok) throw Object.assign(new Error(said.detail || `HTTP ${answer.status}`), { refused: true, code: said.code })
    return said
  }
  // For a turn that waits: an answer in time, or null.
  async soon(path, body, ms = PATIENCE_MS) {
    if (!this.well) { this.revive(); return null }
    let timer
    const late = new Promise((_, no) => { timer = setTimeout(() => no(Object.assign(new Error(`no answer within ${ms} ms`), { late: true })), ms) })
    const asked = this.ask(path, body, BACKGROUND_MS)
    asked.catch(() => {})
    try { const said = await Promise.race([asked, late]); this.lates = 0; return said }
    catch (fault) { this.fell(fault); return null }
    finally { clearTimeout(timer) }
  }
  // For a tool that waits: an answer, or why there is none. Lateness elsewhere keeps nobody from asking, and lateness here nobody
  // from asking again. `worth`: a server that is away is waited for as well.
  async surely(path, body, ms, worth) {
    const until = now() + ms
    if (this.url === null || this.down) {
      const revived = Promise.resolve(this.revive())
      if (worth || this.hopeful) await Promise.race([revived, sleep(ms)])
      if (this.url === null || this.down) return { fault: this.reason }
    }
    try { return { said: await this.ask(path, body, Math.max(1, until - now())) } }
    catch (fault) {
      if (fault.name === "TimeoutError") return { fault: `no answer within ${ms / 1000} s` }
      this.fell(fault)
      return { fault: String(fault.message || fault) }
    }
  }
  // For what nobody waits for: in order, and again once the control plane is back.
  tell(path, body, then) {
    if (this.queue.length >= QUEUE) this.queue.shift()
    this.queue.push([path, body, then])
    this.send()
  }
  send() {
    if (this.sending || !this.queue.length) return this.sending
    if (this.url === null || this.down) { this.revive(); return null }
    this.sending = (async () => {
      while (this.queue.length && !this.down) {
        const [path, body, then] = this.queue[0]
        try { const said = await this.ask(path, body, BACKGROUND_MS); then?.(said) }
        catch (fault) { if (!fault.refused) { this.fell(fault); break } }
        this.queue.shift()
      }
    })().finally(() => { this.sending = null })
    return this.sending
  }
  // Too late: not asked again for a while. No answer at all: away until it says hello.
  fell(fault) {
    if (fault.refused) return
    if (fault.late) {
      this.lates += 1
      this.coolUntil = now() + Math.min(30000, 500 * 2 ** Math.min(6, this.lates))
      if (this.lates === 3) this.told.away("it answers too late")
      return
    }
    this.down = true
    this.why = String(fault.message || fault)
    this.revive()
  }
  // In the background: look for the address, start the server where nobody answers, say hello.
  revive() {
    if (this.reviving || (this.url !== null && !this.down)) return this.reviving
    this.reviving = (async () => {
      for (let trial = 0; ; trial++) {
        try {
          this.read()
          await this.told.hello()
          this.down = false
          this.greeted = true
          this.why = this.broken = ""
          this.told.back()
          break
        } catch (fault) {
          this.down = true
          if (fault.code !== "ENOENT") this.why = String(fault.message || fault)
          this.start()
          if (!this.starting) this.told.away(this.reason)
          // One that cannot start is tried again less often: somebody may have mended it.
          await sleep(Math.min(this.broken ? 60000 : 10000, 100 * 2 ** Math.min(10, trial)))
          if (this.told.over()) break
        }
      }
    })().finally(() => { this.reviving = null; this.send() })
    return this.reviving
  }
  start() {
    if (!this.settings.command || this.starting || now() - this.started < 5000) return
    this.started = now()
    const [program, ...words] = this.settings.command, path = join(this.settings.home, "opencode-server.log")
    let log = "ignore", before = 0
    try {
      log = openSync(path, "a", 0o600)
      if (fstatSync(log).size > 1e6) ftruncateSync(log)
      before = fstatSync(log).size
    } catch {}
    const ended = (why) => {
      if (this.server === server) this.server = null
      if (!why) return
      this.broken = why
      this.told.away(why)
    }
    let server = null
    try {
      this.server = server = spawn(program, words, { cwd: this.settings.folder, detached: true, stdio: ["ignore", "ignore", log] })
      server.on("error", (fault) => ended(`the server cannot be started: ${fault.message}`))
      server.on("exit", (code) => ended(code ? `the server ended with ${code}: ${lastWords(path, before)}` : ""))
      server.unref()
    } catch (fault) { ended(`the server cannot be started: ${fault.message}`) }
    finally { if (log !== "ignore") closeSync(log) }
  }
}

export const ControlPlane = async (ctx) => {
  const client = ctx.client
  const sessions = new Map(), turns = new Map(), seen = new Set(), quiet = new Map(), slowest = new Map(), silences = new Map()
  const notes = new Map(), cautions = new Set()
  const world = { auto: false, registered: false, candidates: [], models: [], traits: new Map(), agents: new Map(), fallback: null, room: null, enforced: false, saidAway: "" }
  let timer = null, alive = null, greeting = null, disposed = false

  const toast = (message, variant = "info") => client.tui.showToast({ body: { title: "control plane", message, variant, duration: 6000 } }).catch(() => {})
  const trouble = join(SETTINGS.home || "", "opencode-trouble.json")
  const link = new Link(SETTINGS, {
    away(why) {
      if (world.saidAway === why || disposed) return
      const known = world.saidAway
      world.saidAway = why
      try { writeFileSync(trouble, JSON.stringify({ at: now() / 1000, what: why, directory: ctx.directory })) } catch {}
      if (!known) toast("The control plane is away; OpenCode goes on without it. Why: control-plane opencode status", "warning")
    },
    over: () => disposed,
    back() { world.saidAway = ""; try { rmSync(trouble, { force: true }) } catch {} },
    async hello() {
      if (!world.models.length) await learn()
      const said = await link.ask("/api/opencode/hello", { opencode: SETTINGS.opencode || "", models: world.models }, BACKGROUND_MS)
      world.auto = said.auto
      world.candidates = said.candidates
      world.incumbent = said.incumbent
      world.room = said.room
      world.samples = said.samples
      world.enforced = !!said.enforced
    },
  })

  // What this OpenCode has: connected models with their prices, and agents with the models that they pin.
  async function learn() {
    const told = (await client.config.providers()).data
    const models = []
    for (const provider of told?.providers || []) for (const [id, model] of Object.entries(provider.models || {})) {
      const name = `${provider.id}/${id}`
      if (name === AUTO) continue
      models.push(name)
      world.traits.set(name, { cost: model.cost || {}, reasoning: !!(model.capabilities?.reasoning ?? model.reasoning) })
    }
    world.models = models
    const [provider, model] = Object.entries(told?.default || {}).find(([id]) => id !== "control-plane") || []
    world.first = provider ? `${provider}/${model}` : models[0]
    for (const agent of (await client.app.agents()).data || []) world.agents.set(agent.name, nameOf(agent.model))
  }

  function sessionOf(id) {
    let found = sessions.get(id)
    if (!found) {
      sessions.set(id, (found = { id, parent: null, turn: null, model: null, usd: 0, requests: 0, step: 0, context: 0, running: new Set(), asked: new Set(), sign: 0, waiting: false, warned: "" }))
      if (sessions.size > 500) sessions.delete(sessions.keys().next().value)
    }
    return found
  }
  const fallback = (session) => [session?.model, world.fallback, world.incumbent, world.first, world.models[0]].find((name) => name && name !== AUTO && (!world.models.length || world.models.includes(name)))

  function pickedBy(session, agent, asked, given) {
    if (asked === AUTO) return "auto"
    const pinned = world.agents.get(agent)
    if (pinned) return pinned === asked ? "agent" : "hand"
    // A subagent that pins no model inherits what auto chose for its parent: nobody picked that either.
    const above = session.parent && turns.get(sessionOf(session.parent).turn)
    if (above?.auto && above.model === asked) return "auto"
    return given ? "hand" : "default"
  }

  async function begin(input, output) {
    const message = output.message, session = sessionOf(message.sessionID), asked = nameOf(message.model)
    if (quiet.get(session.id) || turns.get(message.id)?.moving) {
      if (asked === AUTO) message.model = refOf(fallback(session))
      return
    }
    for (const old of turns.values()) if (old.session === session.id && !old.ended && !old.steps) end(old, "cancelled")
    const first = (output.parts || []).find((part) => part.type === "text" && !part.synthetic)
    const text = (output.parts || []).filter((part) => part.type === "text" && !part.synthetic).map((part) => part.text).join("\n")
    const picked = pickedBy(session, message.agent, asked, !!input.model)
    const instead = asked === AUTO ? fallback(session) || world.models[0] : asked
    const body = {
      turn: message.id, session: session.id, asked: instead || asked, picked, connected: world.candidates,
      task_type: classify(text, message.agent), parent: session.parent, agent: message.agent || null, directory: ctx.directory,
      prompt_sha256: createHash("sha256").update(text).digest("hex"), prompt_bytes: Buffer.byteLength(text),
    }
    if (world.samples) body.sample = text.slice(0, 20001) // somebody asked for it; the control plane keeps its beginning, redacted
    const turn = {
      id: message.id, session: session.id, agent: message.agent, auto: false, model: instead, picked, begun: now(), steps: 0, effects: false,
      moves: 0, moving: false, ended: false, error: null, usage: zero(), part: first ? { id: first.id, text: first.text } : null,
      keep: { variant: message.variant, system: message.system, tools: message.tools, format: message.format }, bytes: body.prompt_bytes,
    }
    turns.set(turn.id, turn)
    if (turns.size > 500) turns.delete(turns.keys().next().value)
    session.turn = turn.id
    if (picked !== "auto") { session.model = asked; link.tell("/api/opencode/turn", body, welcome(session)); return }
    turn.auto = true
    if (instead) message.model = refOf(instead)
    await (greeting ??= hello())
    body.connected = world.candidates
    const said = link.greeted ? await link.soon("/api/opencode/turn", body) : null
    if (!said) { // it goes on with what OpenCode would use
      session.model = instead
      const why = link.url === null || link.down ? `the control plane is away: ${link.reason}` : `no answer within ${PATIENCE_MS} ms`
      link.tell("/api/opencode/turn", { ...body, unadvised: why.slice(0, 300) }, welcome(session))
      return
    }
    welcome(session)(said)
    if (!said.auto) { turn.auto = false; session.model = instead; return }
    if (said.model !== instead || said.changed) {
      message.model = refOf(said.model)
      if (said.changed) toast(`${said.model} · ${said.reason}${said.estimate_usd ? ` · ≈ $${said.estimate_usd.toFixed(3)}` : ""}`)
    }
    turn.model = session.model = said.model
  }

  // The first turn of a process may have to wait until the server is started; no turn waits so long again.
  async function hello() {
    link.revive()
    for (const until = now() + FIRST_MS; link.hopeful && now() < until; ) await sleep(20)
  }

  const welcome = (session) => (said) => {
    const room = said.room || said
    if (!room || !room.limits) return
    world.room = room
    session.usd = Math.max(session.usd, room.session_usd)
    session.requests = Math.max(session.requests, room.session_requests)
    if (room.warn && session.warned !== room.warn.split(":")[0]) {
      session.warned = room.warn.split(":")[0]
      toast(`Spending: ${room.warn}. Raise it with: control-plane opencode limit`, "warning")
    }
  }

  // Before each step of a model: one that would cross a limit does not start.
  function checkLimits(session, model) {
    const room = world.room, limits = room?.limits || {}
    const cost = model.cost || {}
    const paid = (cost.input || 0) > 0 || (cost.output || 0) > 0
    const turn = turns.get(session.turn)
    const context = session.context || (turn?.bytes || 0) / 4 + 8000
    const next = paid ? Math.max(session.step, (context * (session.context ? cost.cache?.read || cost.input || 0 : cost.input || 0) + 500 * (cost.output || 0)) / 1e6) : 0
    const rows = [
      ["session_usd", session.usd, next, limits.session_usd, "--session-usd"], ["day_usd", room?.day_usd || 0, next, limits.day_usd, "--day-usd"],
      ["session_requests", session.requests, paid ? 0 : 1, limits.session_requests, "--session-requests"],
      ["day_requests", room?.day_requests || 0, paid ? 0 : 1, limits.day_requests, "--day-requests"],
    ]
    for (const [limit, spent, more, most, option] of rows) {
      if (most === undefined || most === null || (spent + more <= most && spent < most)) continue
      link.tell("/api/opencode/stopped", { session: session.id, limit, spent, most })
      const money = limit.endsWith("usd")
      const show = (value) => (money ? `$${Number(value).toFixed(value < 0.1 ? 4 : 2)}` : String(value))
      const words = `Spending stopped: ${show(spent)} of ${show(most)} (${limit.replace("_", " ")}) are used, and the next step would take about ${show(more)}. ` +
        `Raise it with: control-plane opencode limit ${option} ${money ? Number((most * 2).toPrecision(2)) : most * 2}`
      toast(words, "error")
      throw new Error(words)
    }
  }

  const zero = () => ({ cost_usd: 0, tokens_in: 0, tokens_out: 0, tokens_reasoning: 0, cache_read: 0, cache_write: 0, latency_ms: 0, quota: 0 })
  function add(total, step) {
    for (const name of Object.keys(zero())) total[name] += step[name] || 0
    total.ttft_ms ??= step.ttft_ms
  }

  function stepDone(info) {
    const turn = turns.get(info.parentID), session = sessionOf(info.sessionID), model = `${info.providerID}/${info.modelID}`
    const cost = world.traits.get(model)?.cost || {}, tokens = info.tokens || {}
    const started = session.started || info.time.created
    const error = info.error ? kindOf(info.error) : null
    const usage = {
      ...zero(), cost_usd: info.cost || 0, tokens_in: tokens.input || 0, tokens_out: tokens.output || 0, tokens_reasoning: tokens.reasoning || 0,
      cache_read: tokens.cache?.read || 0, cache_write: tokens.cache?.write || 0,
      latency_ms: Math.max(0, info.time.completed - info.time.created - (session.toolTime || 0)),
      quota: !(cost.input || cost.output) && (tokens.output || 0) > 0 ? 1 : 0,
    }
    if (session.first && session.first >= started) usage.ttft_ms = session.first - started
    if (usage.ttft_ms !== undefined) slowest.set(model, Math.max(slowest.get(model) || 0, usage.ttft_ms))
    session.usd += usage.cost_usd
    session.requests += usage.quota
    session.step = usage.cost_usd
    session.context = usage.tokens_in + usage.cache_read + usage.cache_write + usage.tokens_out || session.context
    session.toolTime = 0
    session.waiting = false
    if (world.room) { world.room.day_usd += usage.cost_usd; world.room.day_requests += usage.quota }
    if (turn && !turn.moving) { turn.steps += 1; add(turn.usage, usage) }
    if (turn && error && error !== "cancelled") turn.error = error
    if (!error && usage.tokens_out) silences.delete(model)
    link.tell("/api/opencode/steps", { steps: [{ turn: info.parentID || "", session: info.sessionID, message: info.id, model, usage, finish: info.finish || null, error }] }, welcome(session))
    return turn
  }

  const QUOTA = /quota|slow down|insufficient|credit|billing|rate.?limit|too many|overloaded|429/i
  function kindOf(error) {
    const status = error.data?.statusCode, words = String(error.data?.message || "")
    if (error.name === "MessageAbortedError") return "cancelled"
    if (status === 429 || status === 402 || QUOTA.test(words)) return "rate_limit"
    if (status >= 500) return "server"
    if (/connect|socket|network|fetch|stream|terminated|reset|ECONN/i.test(words)) return "connection"
    if (/time.?out/i.test(words)) return "timeout"
    return status >= 400 && status < 500 ? "caller" : "server"
  }

  function end(turn, error = null) {
    if (turn.ended || turn.moving) return
    turn.ended = true
    turn.part = turn.keep = null
    link.tell("/api/opencode/ended", { turn: turn.id, session: turn.session, model: turn.model, usage: turn.usage, steps: turn.steps, error: error || turn.error, effects: turn.effects })
  }

  // A model of an auto turn failed: go on with another one, once for each failure, and say so.
  async function move(turn, error) {
    if (!turn || !turn.auto || turn.ended || turn.moving || turn.stays) return
    const session = sessionOf(turn.session)
    if (session.parent) { turn.stays = true; turn.error = error; return } // its parent waits for this very run
    turn.moving = true
    const failed = turn.model
    try {
      const body = { turn: turn.id, session: turn.session, failed, error, connected: world.candidates, effects: turn.effects, usage: turn.usage }
      let said = await link.soon("/api/opencode/failed", body, 1500)
      if (!said) said = { model: turn.moves < 2 && !turn.effects ? world.candidates.find((name) => name !== failed && !(turn.tried || []).includes(name)) : null, reason: `${failed}: ${error}` }
      if (!said.model || !turn.part) {
        turn.stays = true
        turn.error = error
        toast(`${failed} failed (${error}), and the turn stays with it: ${said.reason}`, "warning")
        return
      }
      turn.tried = [...(turn.tried || []), failed]
      turn.moves += 1
      await client.session.abort({ path: { id: turn.session } })
      for (let trial = 0; trial < 40 && (await busy(turn.session)); trial++) await sleep(50)
      turn.model = session.model = said.model
      turn.usage = zero()
      turn.error = null
      session.waiting = false
      session.running.clear()
      toast(`${failed} failed (${error}); going on with ${said.model}`, "warning")
      const { variant, ...keep } = turn.keep || {}
      await client.session.promptAsync({
        path: { id: turn.session },
        body: { messageID: turn.id, model: refOf(said.model), agent: turn.agent, ...keep, parts: [{ id: turn.part.id, type: "text", text: turn.part.text }] },
      })
      for (let trial = 0; trial < 20 && !(await busy(turn.session)); trial++) await sleep(25)
    } catch (fault) {
      toast(`The turn could not be continued on another model: ${fault.message || fault}`, "error")
    } finally {
      turn.moving = false
      if (!(await busy(turn.session).catch(() => true))) end(turn)
    }
  }
  async function busy(id) {
    const told = (await client.session.status()).data || {}
    return !!told[id] && told[id].type !== "idle"
  }

  // How long a model may give no sign of life: longer for those that think, for long prompts, for those known to be slow.
  function patience(turn, session) {
    if (SETTINGS.patience_ms) return SETTINGS.patience_ms
    const least = world.traits.get(turn.model)?.reasoning ? 60000 : SIGN_MS
    // Who was silent again and again may just be slow: from the third time on it is given twice as long each time.
    const again = SIGN_MS * 2 ** Math.min(5, Math.max(0, (silences.get(turn.model) || 0) - 1))
    return Math.max(least, 3 * (slowest.get(turn.model) || 0), again) + (session.context || 0) / 10
  }
  function watch() {
    for (const turn of turns.values()) {
      if (!turn.auto || turn.ended || turn.moving || turn.stays) continue
      const session = sessionOf(turn.session), limit = patience(turn, session)
      if (session.turn !== turn.id || !session.waiting || session.running.size || session.asked.size || now() - session.sign < limit) continue
      silences.set(turn.model, (silences.get(turn.model) || 0) + 1)
      move(turn, "timeout")
    }
  }

  function onPart(part) {
    const session = sessionOf(part.sessionID)
    session.sign = now()
    if (part.type !== "tool") return
    const running = part.state?.status === "running", turn = turns.get(session.turn)
    if (running) {
      session.running.add(part.callID)
      if (turn && !HARMLESS.test(part.tool)) turn.effects = true
    } else if (session.running.delete(part.callID)) {
      session.toolTime = (session.toolTime || 0) + Math.max(0, (part.state?.time?.end || 0) - (part.state?.time?.start || 0))
    }
  }

  function onEvent({ type, properties: told }) {
    const session = told.sessionID ? sessionOf(told.sessionID) : null
    switch (type) {
      case "session.created": { const found = sessionOf(told.info.id); found.parent = told.info.parentID || null; break }
      case "session.updated": if (told.info?.revert?.messageID) reverted(told.info); break
      case "message.part.delta": session.sign = now(); session.first ||= now(); break
      case "message.part.updated": onPart(told.part); break
      case "message.updated": {
        const info = told.info
        if (info.role !== "assistant") break
        sessionOf(info.sessionID).sign = now()
        if (!info.time?.completed || seen.has(info.id)) break
        seen.add(info.id)
        if (seen.size > 5000) seen.delete(seen.values().next().value)
        const turn = stepDone(info)
        // A stream that ends in the middle has no reason to: OpenCode would ask the same model again and again.
        if (turn && info.finish === "unknown" && !turn.moving) move(turn, "connection")
        else if (turn && info.error && !turn.moving && ["rate_limit", "server", "connection", "timeout"].includes(kindOf(info.error))) move(turn, kindOf(info.error))
        break
      }
      case "session.status":
        if (told.status?.type === "retry") { session.sign = now(); move(turns.get(session.turn), QUOTA.test(told.status.message || "") ? "rate_limit" : "server") }
        break
      case "session.error":
        if (told.error && session && told.error.name !== "MessageAbortedError") { const turn = turns.get(session.turn); if (turn && !turn.moving) turn.error ||= kindOf(told.error) }
        break
      case "permission.asked": question(told); break
      case "question.asked": session.asked.add(told.id); break
      case "permission.replied": case "question.replied": case "question.rejected": session.asked.delete(told.requestID || told.permissionID || told.id); session.asked.clear(); session.sign = now(); break
      case "session.idle":
        session.waiting = false
        session.running.clear()
        for (const turn of turns.values()) if (turn.session === session.id && !turn.ended) { end(turn); if (turn.ended) stopChecks(turn).catch(() => {}) }
        break
    }
  }

  // Guardrails: what a tool is about to do is checked; only a plain "block" stops it. What else they say the model
  // reads behind the tool's result, and the person is told when nobody can vouch for the answer.
  const brakes = () => Object.fromEntries(["OPENCODE_ENFORCEMENT_MODE", "OPENCODE_ENFORCE_FAMILIES", "OPENCODE_STOP_CHECK_MODE"].filter((name) => process.env[name]).map((name) => [name, process.env[name]]))
  const call = (input, args) => ({ session: input.sessionID, tool: input.tool, args: args || {}, cwd: ctx.directory, client: "opencode", env: brakes() })
  // What this process's environment says holds for its calls; else what the server said last.
  const enforcing = () => { const told = process.env.OPENCODE_ENFORCEMENT_MODE; return ["off", "shadow", "enforce"].includes(told) ? told === "enforce" : world.enforced }
  function caution(what) {
    if (cautions.has(what)) return
    cautions.add(what)
    if (cautions.size > 100) cautions.delete(cautions.values().next().value)
    toast(`Guardrails: ${what}`, "warning")
  }
  async function check(input, output) {
    if (HARMLESS.test(input.tool)) return
    const { said, fault } = await link.surely("/api/guard/check", call(input, output.args), GUARD_MS, enforcing())
    if (!said) {
      if (enforcing()) throw new Error(`[BLOCK] Guardrails are enforced and could not look at this call: ${fault}. For a person: \`control-plane doctor\` says what is wrong.`)
      caution(`a call went on unchecked: ${fault}`)
      return
    }
    if (said.mode === "enforce") world.enforced = true
    if (said.warning) caution(said.warning)
    if (said.decision === "block") throw new Error(said.message)
    if (said.message) notes.set(input.callID, said.message)
    if (notes.size > 500) notes.delete(notes.keys().next().value)
  }
  function append(input, output) {
    const note = notes.get(input.callID)
    if (!note || !notes.delete(input.callID) || !output) return
    if (Array.isArray(output.content)) output.content.push({ type: "text", text: note })
    else output.output = `${output.output ?? ""}\n\n${note}`
  }

  // A session came to rest after changes: its checks run, and where they fail it is sent back to work. The server counts the rounds.
  async function stopChecks(turn) {
    if (!turn || sessionOf(turn.session).parent || !turn.edits || turn.error === "cancelled") return
    await Promise.resolve(link.send())
    if (link.url === null || link.down) return
    let said
    try { said = await link.ask("/api/guard/stop", { session: turn.session, cwd: ctx.directory, env: brakes() }, STOP_MS) } catch { return }
    if (said.verdict === "passed") link.tell("/api/opencode/verdict", { verdict: "good", source: "stop-checks", turn: turn.id })
    if (said.verdict !== "failed") { if (said.verdict === "given-up") toast("Stop checks still fail, and nobody is asked again.", "warning"); return }
    link.tell("/api/opencode/verdict", { verdict: "bad", source: "stop-checks", turn: turn.id })
    if (sessionOf(turn.session).turn !== turn.id || (await busy(turn.session))) return // somebody went on meanwhile
    const model = refOf(turn.picked === "auto" && world.registered ? AUTO : turn.model)
    await client.session.promptAsync({ path: { id: turn.session }, body: { agent: turn.agent, model, parts: [{ type: "text", text: said.message }] } })
  }

  // Nobody is there to answer: rejected with a reason, so that the model goes on; in the session and in its subagents.
  const attended = () => SETTINGS.attended || [0, 1, 2].some((fd) => { try { return isatty(fd) } catch { return false } })
  function question(told) {
    const session = sessionOf(told.sessionID)
    session.asked.add(told.id)
    if (attended()) return
    setTimeout(async () => {
      if (!session.asked.has(told.id)) return
      const message = `Nobody can answer here: there is no terminal. ${told.permission || "This"} needs an "allow" in the configuration; go on without it.`
      try { await client._client.post({ url: `/permission/${told.id}/reply`, body: { reply: "reject", message }, headers: { "Content-Type": "application/json" } }) }
      catch { await client.postSessionIdPermissionsPermissionId({ path: { id: told.sessionID, permissionID: told.id }, body: { response: "reject" } }).catch(() => {}) }
    }, QUESTION_MS)
  }

  function reverted(info) {
    const id = info.revert.messageID, turn = turns.get(id)
    if (!turn || turn.reverted || turn.moving) return
    turn.reverted = true
    link.tell("/api/opencode/verdict", { verdict: "reverted", source: "revert", turn: id })
  }

  // Shown to the person, kept from the model.
  async function show(session, text) {
    quiet.set(session, (quiet.get(session) || 0) + 1)
    try { await client.session.prompt({ path: { id: session }, body: { noReply: true, parts: [{ type: "text", text, ignored: true }] } }) }
    finally { const left = quiet.get(session) - 1; left ? quiet.set(session, left) : quiet.delete(session) }
  }
  async function command(name, session) {
    if (link.url === null || link.down) await Promise.race([link.revive(), sleep(1000)])
    if (link.url === null || link.down) return "The control plane is away."
    await Promise.race([Promise.resolve(link.send()), sleep(1000)])
    try {
      if (name === "why") return (await link.ask(`/api/opencode/why/${encodeURIComponent(session)}`, undefined, BACKGROUND_MS)).text
      const said = await link.ask("/api/opencode/verdict", { verdict: name, source: "person", session }, BACKGROUND_MS)
      return `Noted: ${said.model} did ${said.verdict === "good" ? "well" : "badly"}.`
    } catch (fault) { return String(fault.message || fault) }
  }

  return {
    async config(cfg) {
      const configured = cfg.model && cfg.model !== AUTO ? cfg.model : null
      world.fallback = configured
      let wanted = false
      try { wanted = !!JSON.parse(readFileSync(join(SETTINGS.home, "opencode-auto.json"), "utf8")).on } catch {}
      world.registered = wanted
      if (wanted) {
        cfg.provider ??= {}
        // Nothing is ever sent to this address: a turn's model is another before it is asked.
        cfg.provider["control-plane"] ??= {
          npm: "@ai-sdk/openai-compatible", name: "Control plane", options: { baseURL: "http://127.0.0.1:9/v1", apiKey: "none" },
          models: { auto: { name: "Auto", tool_call: true, attachment: true, limit: { context: 1000000, output: 32000 } } },
        }
        if (cfg.enabled_providers && !cfg.enabled_providers.includes("control-plane")) cfg.enabled_providers.push("control-plane")
      }
      cfg.command ??= {}
      cfg.command.why ??= { template: "why", description: "Why this model? (control plane)" }
      cfg.command.good ??= { template: "good", description: "The last turn went well (control plane)" }
      cfg.command.bad ??= { template: "bad", description: "The last turn went badly (control plane)" }
      setTimeout(() => { if (!disposed) link.revive() }, 0)
      timer = setInterval(watch, 250)
      timer.unref?.()
      alive = setInterval(() => { if (link.well) link.told.hello().catch((fault) => link.fell(fault)) }, ALIVE_MS)
      alive.unref?.()
    },
    async event({ event }) { try { onEvent(event) } catch {} },
    async "chat.message"(input, output) {
      try { await begin(input, output) }
      catch { if (nameOf(output.message.model) === AUTO) { const other = fallback(); if (other) output.message.model = refOf(other) } }
    },
    async "chat.params"(input) {
      const session = sessionOf(input.sessionID)
      if (input.agent !== "title" && input.agent?.name !== "title") {
        session.sign = session.started = now()
        session.first = 0
        session.waiting = true
        session.toolTime = 0
      }
      checkLimits(session, input.model || {})
    },
    async "command.execute.before"(input) {
      if (!["why", "good", "bad"].includes(input.command)) return
      await show(input.sessionID, await command(input.command, input.sessionID))
      throw new Error("handled by the control plane") // no model is asked
    },
    async "tool.execute.before"(input, output) { await check(input, output) },
    async "tool.execute.after"(input, output) {
      if (HARMLESS.test(input.tool)) return
      append(input, output)
      const turn = turns.get(sessionOf(input.sessionID).turn)
      for (let at = turn; at; at = turns.get(sessionOf(sessionOf(at.session).parent || "").turn)) { at.edits = true; if (!sessionOf(at.session).parent) break }
      link.tell("/api/guard/finished", call(input, input.args))
    },
    async dispose() {
      clearInterval(timer)
      clearInterval(alive)
      for (const turn of turns.values()) if (turn.steps) end(turn)
      if (link.queue.length) await (greeting ??= hello())
      disposed = true
      await Promise.race([(async () => { while (link.url !== null && !link.down && link.queue.length) await link.send() })(), sleep(500)])
    },
  }
}
