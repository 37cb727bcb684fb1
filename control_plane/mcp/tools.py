"""The tools: routing, its results and reasons, memory, learning, health; TOOLS is all that a server offers."""

from typing import Annotated

from msgspec import Meta, Struct, structs

from ..errors import BadInput, ControlPlaneError
from ..health import Health
from ..learning.record import Kind, Severity
from ..learning.signing import sign
from ..projections.search import Found
from ..router.explain import Explanation
from ..router.terms import Advice, Task
from .bridge import BRIDGE_TOOLS
from .tooling import Call, Tool

TaskType = Annotated[str, Meta(description="What kind of work it is, as `code.fix` or `docs.write`.")]


class AdviseGiven(Task, frozen=True, forbid_unknown_fields=True):
    type: TaskType
    repo: Annotated[str | None, Meta(description="The repository, as `acme/api`.")] = None
    session: Annotated[str | None, Meta(description="The session; it keeps its arm while that does well.")] = None
    description: Annotated[str | None, Meta(description="What is to be done. Features of it are kept, not it.")] = None
    complexity: Annotated[str | float | None, Meta(description="low, medium or high, or a number 0 to 1.")] = None
    files: Annotated[tuple[str, ...], Meta(description="Paths that it touches.")] = ()
    error_type: Annotated[str | None, Meta(description="The error that is to be fixed.")] = None
    attempt: Annotated[int, Meta(description="1 for the first try.")] = 1
    tool: Annotated[str | None, Meta(description="The tool that is about to be used.")] = None
    tokens_in: Annotated[int | None, Meta(description="Tokens that the model will have to read.")] = None
    required_tools: Annotated[tuple[str, ...], Meta(description="Tools without which it cannot be done.")] = ()
    strengths: Annotated[tuple[str, ...], Meta(description="Strengths that would help.")] = ()
    budget_usd: Annotated[float | None, Meta(description="The most that it may cost, in US dollars.")] = None
    deadline_ms: Annotated[float | None, Meta(description="The longest that it may take, in milliseconds.")] = None
    candidates: Annotated[tuple[str, ...] | None, Meta(description="Only these arms; all when left out.")] = None
    override: Annotated[str | None, Meta(description="The arm that somebody chose already.")] = None
    in_tool_loop: Annotated[bool, Meta(description="Whether it is in the middle of a tool loop.")] = False


class ResultGiven(Struct, frozen=True, forbid_unknown_fields=True):
    """What came of a decision, or of an arm that was used without one."""

    decision_id: Annotated[str | None, Meta(description="From advise; either this or `arm`.")] = None
    arm: Annotated[str | None, Meta(description="The arm that was used without a decision.")] = None
    task: Annotated[AdviseGiven | None, Meta(description="The task, with `arm` only.")] = None
    success: Annotated[bool | None, Meta(description="Whether it worked; may be told later.")] = None
    latency_ms: Annotated[float | None, Meta(description="How long it took, in milliseconds.")] = None
    ttft_ms: Annotated[float | None, Meta(description="Milliseconds to the first token.")] = None
    cost_usd: Annotated[float | None, Meta(description="What it cost, in US dollars.")] = None
    tokens_in: Annotated[int | None, Meta(description="Tokens read.")] = None
    tokens_out: Annotated[int | None, Meta(description="Tokens written.")] = None
    error: Annotated[str | None, Meta(description="timeout, rate_limit, connection, server, caller or cancelled.")] = (
        None
    )
    step: Annotated[int, Meta(description="The step of a cascade, from 0.")] = 0
    verified: Annotated[bool | None, Meta(description="What the step's verifier said.")] = None
    retry_after_s: Annotated[float | None, Meta(description="Seconds that the provider asked to wait.")] = None
    model_served: Annotated[str | None, Meta(description="The model that answered, if another one.")] = None


class Recorded(Struct, frozen=True):
    recorded: bool


class ExplainGiven(Struct, frozen=True, forbid_unknown_fields=True):
    decision_id: Annotated[str, Meta(description="From advise.")]


class SearchGiven(Struct, frozen=True, forbid_unknown_fields=True):
    query: Annotated[str, Meta(description="Plain words; no operators.")]
    k: Annotated[int, Meta(ge=1, le=100, description="At most so many.")] = 5
    kind: Annotated[str | None, Meta(description="Only items of this kind.")] = None


class Remembered(Struct, frozen=True):
    found: tuple[Found, ...]


class Lesson(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was observed; features only, never source or secrets."""

    kind: Annotated[Kind, Meta(description="What kind of observation it is.")]
    task_type: TaskType
    trace_id: Annotated[str, Meta(description="The trace that it happened in.")]
    ts: Annotated[float | None, Meta(description="Unix seconds; now when left out.")] = None
    pattern: Annotated[str | None, Meta(description="The pattern that was seen, by its name in docs/learning.md.")] = (
        None
    )
    severity: Annotated[Severity, Meta(description="How much it matters.")] = "info"
    session: Annotated[str | None, Meta(description="The session.")] = None
    repo: Annotated[str | None, Meta(description="The repository.")] = None
    arm: Annotated[str | None, Meta(description="The arm that did it.")] = None
    tool: Annotated[str | None, Meta(description="The tool that was used.")] = None
    error_type: Annotated[str | None, Meta(description="The error that was seen.")] = None
    place: Annotated[str | None, Meta(description="Where: a path or a hash.")] = None
    attempt: Annotated[int, Meta(description="Which try it was.")] = 0
    success: Annotated[bool | None, Meta(description="Whether it worked.")] = None


class LearnGiven(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the two."""

    envelope: Annotated[str | None, Meta(description="A signed record: one line of DSSE as `learn sign` makes.")] = None
    lesson: Annotated[
        Lesson | None, Meta(description="Signed here; only where the server was given the agent's key.")
    ] = None


class Learned(Struct, frozen=True):
    accepted: int


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No argument."""


class NotLearned(ControlPlaneError):
    """The reason is the last part of the code, as `learning.unknown_key`."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "the record was not let in", why=reason.replace("_", " "), cure="docs/learning.md lists the reasons"
        )
        self.code = f"learning.{reason}"


class NoKey(BadInput):
    """A lesson is to be signed, and the server was given no key."""

    code = "mcp.no-key"


def _advise(call: Call, given: AdviseGiven) -> Advice:
    return call.plane.advise(given)


def _record(call: Call, given: ResultGiven) -> Recorded:
    call.plane.record_result(**structs.asdict(given))
    return Recorded(True)


def _explain(call: Call, given: ExplainGiven) -> Explanation:
    return call.plane.explain(given.decision_id)


def _search(call: Call, given: SearchGiven) -> Remembered:
    return Remembered(tuple(call.plane.memory.search(given.query, given.k, kind=given.kind)))


def _learn(call: Call, given: LearnGiven) -> Learned:
    if given.envelope is not None and given.lesson is None:
        found = call.plane.learn(given.envelope)
    elif given.lesson is not None and given.envelope is None:
        found = call.plane.learn(_signed(call, given.lesson))
    else:
        raise BadInput("give either `envelope` or `lesson`")
    if found.rejected:
        raise NotLearned(next(iter(found.reasons)))
    return Learned(found.accepted)


def _signed(call: Call, lesson: Lesson) -> bytes:
    if call.key is None:
        raise NoKey(
            "this server holds no key to sign with",
            cure="start it as `control-plane mcp --key FILE`, or give a signed `envelope`",
        )
    told = {name: value for name, value in structs.asdict(lesson).items() if value is not None}
    return sign({"ts": call.plane.ledger.clock.now(), **told}, call.key)


def _health(call: Call, _: Nothing) -> Health:
    return call.plane.health()


HOUSE_TOOLS = (
    Tool(
        "advise", "Which arm takes this task?",
        "Ask before a task which model or agent should take it. Answers the arm with its reasons, the steps to "
        "follow when it is a cascade, and a decision_id: keep it, and tell record_result how it went.",
        AdviseGiven, Advice, _advise, least="participant", quick=True,
    ),
    Tool(
        "record_result", "What came of it",
        "Tell how a decision went, as soon as that is known: success, cost, time, or the kind of error. Later advice "
        "rests on it. The same result twice changes nothing, another one for the same step corrects it.",
        ResultGiven, Recorded, _record, least="participant", repeatable=True, quick=True,
    ),
    Tool(
        "explain", "Why this arm?",
        "Decide an earlier decision again from the log, and say why it came out so: every score in dollars, "
        "who was left out, and the smallest change that would have chosen another arm.",
        ExplainGiven, Explanation, _explain, reads=True,
    ),
    Tool(
        "search_memory", "What is remembered about this?",
        "Find notes that somebody asked to keep, the best fit first. Look here before working something out again.",
        SearchGiven, Remembered, _search, reads=True,
    ),
    Tool(
        "learn", "Keep what was learned",
        "Hand in one learning record: a signed `envelope`, or a `lesson` where this server signs for its agent. "
        "A record that is not let in is an error whose code names the reason.",
        LearnGiven, Learned, _learn, least="participant",
    ),
    Tool(
        "health", "How is the house?",
        "The state of the control plane in one sentence and in figures: score with its reasons, results, arms that "
        "rest, replay parity, review queue, quality of memory.",
        Nothing, Health, _health, reads=True,
    ),
)  # fmt: skip

TOOLS: tuple[Tool, ...] = (*HOUSE_TOOLS, *BRIDGE_TOOLS)
