"""What OpenCode's plugin asks, for a turn and after a failure; and what it tells: steps, ends, verdicts."""

from typing import Any

import anyio.to_thread
import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, JSONBody

from ..access.tokens import may
from ..turns.rules import UnknownTurn
from ..turns.terms import Answer, Asked, Ended, Failed, Moved, Room, Step
from .given import Plane


class HelloBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin that starts: which OpenCode it is in, and how many models that has connected."""

    opencode: str = ""
    models: tuple[str, ...] = ()


class Welcome(msgspec.Struct, frozen=True):
    """What the plugin works with: `candidates` are the connected models that the catalogue knows."""

    auto: bool
    incumbent: str | None
    candidates: tuple[str, ...]
    unlisted: int
    room: Room
    samples: bool = False
    enforced: bool = False


class StepsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    steps: tuple[Step, ...]


class StoppedBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    session: str
    limit: str
    spent: float
    most: float


class VerdictBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`turn`, or the last one of `session`."""

    verdict: str
    source: str
    session: str | None = None
    turn: str | None = None


class Judged(msgspec.Struct, frozen=True):
    turn: str
    model: str
    verdict: str


class Why(msgspec.Struct, frozen=True):
    turn: str
    text: str


class Noted(msgspec.Struct, frozen=True):
    recorded: bool


@post("/api/opencode/hello", status_code=200, summary="A plugin starts: what it works with")
async def hello(data: JSONBody[HelloBody], request: Request[Any, Any, Any], plane: Plane) -> Welcome:
    may(request.state.caller, "participant")
    turns, known = plane.turns, frozenset(plane.turns.models)
    listed = tuple([name for name in data.models if name in known])
    state = turns.state
    enforced = await anyio.to_thread.run_sync(plane.guard.enforces)
    unlisted = len(data.models) - len(listed)
    return Welcome(state.auto, state.incumbent, listed, unlisted, turns.room(""), state.samples, enforced)


@post("/api/opencode/turn", status_code=200, summary="Which model takes this turn?")
async def turn(data: JSONBody[Asked], request: Request[Any, Any, Any], plane: Plane) -> Answer:
    may(request.state.caller, "participant")
    if data.unadvised:  # nobody waits for the answer, and what is known must be looked up
        return await anyio.to_thread.run_sync(plane.turns.begin, data)
    return plane.turns.begin(data)


@post("/api/opencode/steps", status_code=200, summary="What models answered, from OpenCode's own messages")
async def steps(data: JSONBody[StepsBody], request: Request[Any, Any, Any], plane: Plane) -> Room:
    may(request.state.caller, "participant")
    return plane.turns.steps(list(data.steps))


@post("/api/opencode/ended", status_code=200, summary="A turn is over")
async def ended(data: JSONBody[Ended], request: Request[Any, Any, Any], plane: Plane) -> Noted:
    may(request.state.caller, "participant")
    await anyio.to_thread.run_sync(plane.turns.end, data)
    return Noted(True)


@post("/api/opencode/failed", status_code=200, summary="A model failed in a turn: where does it go on?")
async def failed(data: JSONBody[Failed], request: Request[Any, Any, Any], plane: Plane) -> Moved:
    may(request.state.caller, "participant")
    return await anyio.to_thread.run_sync(plane.turns.fail, data)


@post("/api/opencode/stopped", status_code=200, summary="A step did not start, for a limit")
async def stopped(data: JSONBody[StoppedBody], request: Request[Any, Any, Any], plane: Plane) -> Noted:
    may(request.state.caller, "participant")
    plane.turns.stopped(data.session, data.limit, data.spent, data.most)
    return Noted(True)


@post("/api/opencode/verdict", status_code=200, summary="What came of a turn: good, bad or reverted")
async def verdict(data: JSONBody[VerdictBody], request: Request[Any, Any, Any], plane: Plane) -> Judged:
    may(request.state.caller, "participant")

    def judge() -> Judged:
        name = plane.turns.judge(data.verdict, data.source, turn=data.turn, session=data.session)
        return Judged(name, plane.turns.state.turns[name].used, data.verdict)

    return await anyio.to_thread.run_sync(judge)


@get("/api/opencode/why/{session:str}", summary="Why the last turn of a session went where it went")
async def why(session: FromPath[str], plane: Plane) -> Why:
    return await anyio.to_thread.run_sync(_why, plane, session)


def _why(plane: Plane, session: str) -> Why:
    plane.flush()
    plane.folder.catch_up()
    turns = plane.turns
    row = turns.state.sessions.get(session)
    found = turns.state.turns.get(row.turn) if row is not None else None
    if row is None or found is None:
        raise UnknownTurn(f"nothing is known of session {session:.60}", cure="ask it something first")
    lines = [f"{found.used}  ({found.picked})", f"  task     {found.task_type}", f"  reason   {found.reason}"]
    if found.unadvised:
        lines.append(f"  advice   none: {found.unadvised}")
    elif found.advised != found.used:
        lines.append(f"  advised  {found.advised}; it was not followed, because the model was picked by {found.picked}")
    if found.decision is not None:
        told = plane.explain(found.decision)
        lines += [
            f"  {'→' if one.arm == told.arm else ' '} {one.arm}  ${one.score:.2f}"
            f"  success {one.success:.0%} ±{one.error:.0%}  cost ${one.cost:.3f}{' guessed' if one.guessed else ''}"
            f"  runs {one.runs:.0f}"
            for one in told.contenders[:5]
        ]
        if told.flip is not None:
            lines.append(f"  next     {told.flip.arm}: {told.flip.change}")
        lines.append(f"  proof    control-plane explain {found.decision}")
    lines.append(f"  outcome  {found.verdict or 'unknown; /good or /bad says it'}")
    return Why(row.turn, "\n".join(lines))


HANDLERS = (hello, turn, steps, ended, failed, stopped, verdict, why)
