"""Turns, sessions and spending as they stand: a fold of their events; the latest are kept, the rest is counted."""

import msgspec

from ..ledger.events import Event
from .events import (
    AutoSwitched,
    HistoryImported,
    LimitReached,
    Limits,
    LimitsSet,
    SamplesSwitched,
    StepTaken,
    TurnBegun,
    TurnEnded,
    TurnJudged,
    TurnMoved,
    TurnUnadvised,
    Usage,
)

DAY_S = 86400.0
TURNS, SESSIONS, DAYS = 4096, 2048, 62
GOOD, BAD, REVERTED = "good", "bad", "reverted"
# How much of a failure a revert is taken for.
REVERT_WEIGHT = 0.5


class Turn(msgspec.Struct):
    session: str
    task_type: str
    picked: str
    used: str
    advised: str
    decision: str | None = None
    repo: str = ""
    reason: str = ""
    moves: int = 0
    steps: int = 0
    usage: Usage = Usage()
    ended: bool = False
    error: str | None = None
    effects: bool = False
    verdict: str | None = None
    unadvised: str = ""


class Session(msgspec.Struct):
    """`held` is the model of its last turn under auto, `failed` the one that failed in it since."""

    turn: str = ""
    held: str | None = None
    failed: str | None = None
    spent_usd: float = 0.0
    requests: int = 0
    context: float = 0
    warned: str = ""
    parent: str | None = None


class Tally(msgspec.Struct):
    """Turns of one model for one kind of task: under auto, and those whose outcome is known."""

    turns: int = 0
    auto: int = 0
    won: float = 0.0
    lost: float = 0.0


class Spent(msgspec.Struct):
    usd: float = 0.0
    requests: int = 0


class Turns(msgspec.Struct):
    auto: bool = False
    samples: bool = False
    incumbent: str | None = None
    limits: Limits = Limits()
    turns: dict[str, Turn] = {}
    sessions: dict[str, Session] = {}
    days: dict[str, Spent] = {}
    tallies: dict[str, dict[str, Tally]] = {}
    begun: int = 0
    ended: int = 0
    known: int = 0
    moved: int = 0
    unadvised: int = 0
    steps: int = 0
    imported: int = 0
    imported_until: dict[str, str] = {}


def fold(state: Turns, event: Event) -> None:
    match event:
        case TurnBegun():
            _begin(state, event)
        case TurnUnadvised():
            _unadvised(state, event)
        case StepTaken():
            _step(state, event)
        case TurnMoved():
            _move(state, event)
        case TurnEnded():
            _end(state, event)
        case TurnJudged():
            _judge(state, event)
        case LimitReached():
            _session(state, event.session).warned = "stopped" if event.stopped else event.limit
        case AutoSwitched() | SamplesSwitched() | LimitsSet():
            _switch(state, event)
        case HistoryImported():
            state.imported += len(event.steps)
            last = max((step.message for step in event.steps), default="")
            state.imported_until[event.source] = max(last, state.imported_until.get(event.source, ""))


def _switch(state: Turns, event: AutoSwitched | SamplesSwitched | LimitsSet) -> None:
    """What somebody decided."""
    if isinstance(event, AutoSwitched):
        state.auto, state.incumbent = event.on, event.incumbent or state.incumbent
    elif isinstance(event, SamplesSwitched):
        state.samples = event.on
    else:
        state.limits = event.limits


def day_of(at: float) -> str:
    """The day in UTC, as the number of days since 1970: dates are for people, this only has to differ."""
    return str(int(at // DAY_S))


def tally(state: Turns, task_type: str, model: str) -> Tally:
    return state.tallies.setdefault(task_type, {}).setdefault(model, Tally())


def _session(state: Turns, name: str) -> Session:
    """The session; used now, so that it is the last to be forgotten."""
    session = state.sessions.pop(name, None) or Session()
    state.sessions[name] = session
    if len(state.sessions) > SESSIONS:
        del state.sessions[next(iter(state.sessions))]
    return session


def _begin(state: Turns, event: TurnBegun) -> None:
    state.begun += 1
    state.turns[event.turn] = Turn(
        event.session, event.task_type, event.picked, event.used, event.advised, event.decision, event.directory,
        event.reason,
    )  # fmt: skip
    if len(state.turns) > TURNS:
        del state.turns[next(iter(state.turns))]
    session = _session(state, event.session)
    session.turn, session.parent = event.turn, event.parent or session.parent
    row = tally(state, event.task_type, event.used)
    row.turns += 1
    if event.picked == "auto":
        row.auto += 1
        if session.held != event.used:
            session.context = 0
        session.held, session.failed = event.used, None


def _unadvised(state: Turns, event: TurnUnadvised) -> None:
    turn = state.turns.get(event.turn)
    if turn is not None and not turn.unadvised:
        state.unadvised += 1
        turn.unadvised = event.reason


def _step(state: Turns, event: StepTaken) -> None:
    usage = event.usage
    state.steps += 1
    session = _session(state, event.session)
    session.spent_usd += usage.cost_usd
    session.requests += usage.quota
    if not event.error:
        session.context = usage.tokens_in + usage.cache_read + usage.cache_write + usage.tokens_out
    day = state.days.setdefault(day_of(event.at), Spent())
    day.usd += usage.cost_usd
    day.requests += usage.quota
    while len(state.days) > DAYS:
        del state.days[next(iter(state.days))]
    turn = state.turns.get(event.turn)
    if turn is not None:
        turn.steps += 1


def _move(state: Turns, event: TurnMoved) -> None:
    session, turn = _session(state, event.session), state.turns.get(event.turn)
    if event.to is None:
        session.failed = event.failed
        return
    state.moved += 1
    if turn is not None:
        turn.moves, turn.used, turn.decision = event.attempt, event.to, event.decision
        row = tally(state, turn.task_type, event.to)
        row.turns += 1
        row.auto += 1
    session.held, session.failed, session.context = event.to, None, 0


def _end(state: Turns, event: TurnEnded) -> None:
    turn = state.turns.get(event.turn)
    if turn is None or turn.ended:
        return
    state.ended += 1
    if event.model != turn.used:
        _other_model(state, turn, event.model)
    turn.ended, turn.usage, turn.error, turn.effects = True, event.usage, event.error, event.effects
    if event.error and event.error != "cancelled":
        _session(state, event.session).failed = turn.used


def _other_model(state: Turns, turn: Turn, model: str) -> None:
    """It was done with another model than was said when it began: the advice came too late, say."""
    auto = turn.picked == "auto"
    before, row = tally(state, turn.task_type, turn.used), tally(state, turn.task_type, model)
    before.turns, row.turns = before.turns - 1, row.turns + 1
    before.auto, row.auto = before.auto - auto, row.auto + auto
    turn.used, turn.decision = model, None
    session = state.sessions.get(turn.session)
    if auto and session is not None:
        session.held = model


def _judge(state: Turns, event: TurnJudged) -> None:
    turn = state.turns.get(event.turn)
    if turn is None or turn.verdict == event.verdict:
        return
    row = tally(state, turn.task_type, turn.used)
    if turn.verdict is None:
        state.known += 1
    else:
        _count(row, turn.verdict, -1.0)
    _count(row, event.verdict, 1.0)
    turn.verdict = event.verdict
    session = _session(state, turn.session)
    if session.turn == event.turn:
        session.failed = turn.used if event.verdict == BAD else None


def _count(row: Tally, verdict: str, by: float) -> None:
    if verdict == GOOD:
        row.won += by
    elif verdict == BAD:
        row.lost += by
    elif verdict == REVERTED:
        row.lost += by * REVERT_WEIGHT
