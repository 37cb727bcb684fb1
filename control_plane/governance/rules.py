"""The rules of policy life: state and command in, events out, or a coded refusal."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..errors import BadInput, ControlPlaneError
from ..ledger.events import Event
from ..redacting import without_secrets
from .document import PolicyDocument, from_canonical
from .events import ArtifactRecorded, PolicyAdvanced, PolicyPaused, PolicyProposed, PolicyRolledBack
from .flag_events import FlagFlipped
from .gates import Judged
from .state import IN_FORCE, STAGES, GovernanceState, Standing, newest_revision
from .verdicts import PAUSING

# How far a policy may come while the brake says so: off lets nothing run, shadow lets nothing decide.
FARTHEST: Mapping[str, str] = {"off": "evaluated", "shadow": "shadow", "enforce": "enforce"}
# Which gates stand before which stage; each is a step that somebody may ask for.
GATES: Mapping[str, tuple[str, ...]] = {
    "simulated": ("simulation",),
    "evaluated": ("simulation", "evaluation"),
    "shadow": ("simulation", "evaluation"),
    "canary": ("simulation", "evaluation"),
    "enforce": ("simulation", "evaluation"),
}


class UnknownPolicy(BadInput):
    """No policy of that name was proposed."""

    code = "policy.unknown"


class OutOfOrder(BadInput):
    """That step does not follow from where the policy stands."""

    code = "policy.out-of-order"


class Retrieval(NamedTuple):
    """How memory is found, for a promotion that has to look at it."""

    level: str
    reason: str


class StepRefused(ControlPlaneError):
    """A gate did not open; `verdict` is its one word."""

    code = "policy.refused"

    def __init__(self, verdict: str, what: str, *, why: str = "", cure: str = "") -> None:
        super().__init__(what, why=why, cure=cure)
        self.verdict = verdict


class StepPaused(StepRefused):
    """The evidence is inconclusive; the policy waits where it is for more of it."""

    code = "policy.paused"


class By(NamedTuple):
    """Who asks for a step, why, and when."""

    actor: str
    reason: str
    at: float

    def checked(self) -> "By":
        for name, text, longest in (("the actor", self.actor, 100), ("the reason", self.reason, 500)):
            if not isinstance(text, str) or not text.strip() or len(text) > longest or not text.isprintable():
                raise BadInput(f"{name} is {text!r:.80}", why=f"it must be printable text of 1 to {longest} characters")
        return self._replace(reason=without_secrets(self.reason))


class Step(NamedTuple):
    """One step that is possible; whether the gates open is another question."""

    policy: str
    standing: Standing
    after: str
    share: float | None


def propose(state: GovernanceState, document: PolicyDocument, by: By) -> list[Event]:
    """A new draft; what is in force is never changed by it."""
    standing = state.policies.get(document.name)
    if standing is not None and standing.stage in IN_FORCE:
        raise OutOfOrder(
            f"{document.name} is at {standing.stage}",
            why="a new revision would put the old one out of force",
            cure="roll it back first, or propose it under another name",
        )
    if standing is not None and standing.policy_hash == document.hash and standing.stage == "draft":
        raise OutOfOrder(
            f"revision {standing.policy_revision} of {document.name} says exactly this already",
            cure="change the file, or advance the draft",
        )
    return [
        PolicyProposed(
            at=by.at,
            policy=document.name,
            policy_revision=newest_revision(state, document.name) + 1,
            policy_hash=document.hash,
            document=document.canonical,
            actor=by.actor,
            reason=by.reason,
            envelope="",
        )
    ]


def next_step(state: GovernanceState, name: str, to: str | None, share: float | None, brake: str | None) -> Step:
    """The step that is asked for, when it is the next one; stages are not skipped."""
    standing = standing_of(state, name)
    place = STAGES.index(standing.stage)
    following = STAGES[place + 1] if place + 1 < len(STAGES) else None
    again = standing.stage == "canary" and to == "canary" and share is not None
    after = to if again else following
    if after is None or (to is not None and to != after):
        raise _not_next(name, standing.stage, following, to)
    if share is not None and (after != "canary" or not 0.0 < share < 1.0):
        raise BadInput(f"a share of {share}", why="only a canary has one, between 0 and 1")
    if after == "canary":
        share = share if share is not None else from_canonical(standing.document).canary_share
        _one_canary(state, name)
    if brake is not None and STAGES.index(after) > STAGES.index(FARTHEST[brake]):
        raise StepRefused(
            "braked",
            f"{name} cannot go to {after} now",
            why=f"OPENCODE_ENFORCEMENT_MODE={brake} lets no policy go beyond {FARTHEST[brake]}",
            cure="release the brake first",
        )
    return Step(name, standing, after, share)


def _not_next(name: str, stage: str, following: str | None, to: str | None) -> BadInput:
    order = " → ".join(STAGES)
    if to is not None and to not in STAGES:
        return BadInput(f"there is no stage {to[:80]!r}", why=f"a policy goes {order}", cure="name one of these")
    asked = f", not to {to}" if to is not None else ""
    cure = f"leave --to out, or name {following}" if following else "it is at the end; only a rollback leads on"
    return OutOfOrder(f"{name} is at {stage}", why=f"from there it goes to {following or 'nowhere'}{asked}", cure=cure)


def check_retrieval(step: Step, retrieval: Retrieval | None) -> None:
    """Memory that is not found well, or nobody knows how well, promotes no policy; a warning is only one."""
    if retrieval is not None and "evaluation" in GATES[step.after] and retrieval.level in ("fail", "unknown"):
        raise StepRefused(
            f"retrieval_quality_{retrieval.level}",
            f"{step.policy} cannot go to {step.after} now",
            why=f"retrieval quality is {retrieval.level}: {retrieval.reason}",
            cure="run `control-plane memory evaluate`; OPENCODE_RETRIEVAL_METRICS=false leaves retrieval out of it",
        )


def advance(step: Step, judged: Sequence[Judged], waived: Sequence[str], by: By) -> list[Event]:
    """The step with its artifacts, once every gate says ok; a pause is a fact of its own."""
    closed = next((one for one in judged if not one.ok), None)
    if closed is not None and closed.verdict not in PAUSING:
        raise refusal(step, closed)
    recorded = [_recorded(step, one, by.at) for one in judged if not _known(step.standing, one)]
    if closed is not None:
        if step.standing.paused == closed.digest:
            raise paused(step.policy, step.standing.stage, closed.verdict)
        return [*recorded, _pause(step, closed, by)]
    digests = {one.kind: one.digest for one in judged}
    moved = PolicyAdvanced(
        at=by.at,
        policy=step.policy,
        policy_revision=step.standing.policy_revision,
        policy_hash=step.standing.policy_hash,
        before=step.standing.stage,
        after=step.after,
        actor=by.actor,
        reason=by.reason,
        envelope="",
        share=step.share,
        simulation=digests.get("simulation", ""),
        evaluation=digests.get("evaluation", ""),
        waived=tuple(waived),
    )
    return [*recorded, moved, *(_flips(moved, step.standing) if step.after == "enforce" else ())]


def roll_back(state: GovernanceState, name: str, by: By, stood: str) -> list[Event]:
    """One step back from where its caller saw it; what was enforced last goes first, so each step undoes itself."""
    standing = standing_of(state, name)
    place = STAGES.index(standing.stage)
    if standing.stage != stood:
        raise OutOfOrder(f"{name} was at {stood} and is at {standing.stage} now", cure="look again")
    if place == 0:
        raise OutOfOrder(f"{name} is a draft; there is nothing to roll back", cure="propose another revision instead")
    if standing.stage == "enforce" and state.enforced[-1] != name:
        raise OutOfOrder(
            f"{state.enforced[-1]} was enforced after {name} and is in force",
            cure=f"roll {state.enforced[-1]} back first",
        )
    back = PolicyRolledBack(
        at=by.at,
        policy=name,
        policy_revision=standing.policy_revision,
        policy_hash=standing.policy_hash,
        before=standing.stage,
        after=STAGES[place - 1],
        actor=by.actor,
        reason=by.reason,
        envelope="",
    )
    return [*(_restored(state, standing, back) if standing.stage == "enforce" else ()), back]


def in_force(state: GovernanceState, brake: str | None, draw: float) -> str | None:
    """Which policy decides: a canary for its share of the draws from 0 to 1, else the one that was enforced last."""
    if brake is not None and FARTHEST[brake] != "enforce":
        return None
    for name, standing in sorted(state.policies.items()):
        if standing.stage == "canary":
            draw -= standing.share or 0.0
            if draw < 0.0:
                return name
    return state.enforced[-1] if state.enforced else None


def refusal(step: Step, closed: Judged) -> StepRefused:
    gate = "simulation" if closed.kind == "simulation" else "evaluation"
    name, file = step.policy, f"{gate}.json"
    run = (
        f"simulate {name}.toml --artifact {file}"
        if gate == "simulation"
        else f"policy evaluate {name} scores.json --out {file}"
    )
    cure = f"`control-plane {run}`, then `control-plane policy advance {name} --{gate} {file}` with actor and reason"
    what = f"{step.policy} stays at {step.standing.stage}: {closed.verdict}"
    return StepRefused(closed.verdict, what, why=closed.words, cure=cure)


def paused(policy: str, stage: str, verdict: str) -> StepPaused:
    what = f"{policy} waits at {stage}: {verdict}"
    cure = "hand in a newer artifact, made on more of the history"
    return StepPaused(verdict, what, why="there is not enough to judge it by", cure=cure)


def standing_of(state: GovernanceState, name: str) -> Standing:
    standing = state.policies.get(name)
    if standing is None:
        raise UnknownPolicy(f"there is no policy {name[:80]!r}", cure="see `control-plane policy list`")
    return standing


def _one_canary(state: GovernanceState, name: str) -> None:
    other = next((one for one, held in state.policies.items() if held.stage == "canary" and one != name), None)
    if other is not None:
        raise OutOfOrder(f"{other} is the canary", why="two at once could not be told apart", cure=f"roll {other} back")


def _known(standing: Standing, judged: Judged) -> bool:
    return judged.digest in standing.artifacts.get(judged.kind, {})


def _recorded(step: Step, judged: Judged, at: float) -> ArtifactRecorded:
    envelope = judged.envelope.decode()
    return ArtifactRecorded(at=at, policy=step.policy, kind=judged.kind, digest=judged.digest, envelope=envelope)


def _pause(step: Step, closed: Judged, by: By) -> PolicyPaused:
    return PolicyPaused(
        at=by.at,
        policy=step.policy,
        policy_revision=step.standing.policy_revision,
        policy_hash=step.standing.policy_hash,
        stage=step.standing.stage,
        verdict=closed.verdict,
        artifact=closed.digest,
        actor=by.actor,
        reason=by.reason,
        envelope="",
    )


def _flips(moved: PolicyAdvanced, standing: Standing) -> list[Event]:
    """What the policy asks of the flags becomes so in the same commit."""
    return [
        FlagFlipped(
            at=moved.at,
            name=name,
            value=value,
            actor=moved.actor,
            reason=moved.reason,
            policy=moved.policy,
            simulation=moved.simulation,
        )
        for name, value in from_canonical(standing.document).flags.items()
    ]


def _restored(state: GovernanceState, standing: Standing, back: PolicyRolledBack) -> list[Event]:
    """The flags as they were before, but for those that somebody else has flipped since."""
    asked, before = from_canonical(standing.document).flags, state.flips_before[back.policy]
    return [
        FlagFlipped(at=back.at, name=name, value=value, actor=back.actor, reason=back.reason, policy=back.policy)
        for name, value in before.items()
        if state.flips.get(name) == asked[name] and value != asked[name]
    ]
