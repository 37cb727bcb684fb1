"""Bars of evidence, milestones, plugins and validators."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.evidence import Verdict, sidecar, sign, verify, write
from control_plane.evidence.events import EvidenceRecorded
from control_plane.flags.milestones import BRAKES
from control_plane.governance.flag_events import FlagFlipped
from control_plane.governance.milestones import Answer, MilestoneState, fold, may_go_strict, react
from control_plane.governance.plugins import Judged, Observation, judge
from control_plane.governance.validators import run_suite
from control_plane.ledger.events import Event
from control_plane.ledger.notes import Signer, Verifier
from tests.bars.frame import Bar
from tests.evidence.samples import sample
from tests.governance.planted import FAULTS, ours

NOW, DAY = 1_800_000_000.0, 86_400.0
P0 = ("FG-01", "FG-02", "FG-03", "FG-04")
Believes = Callable[[Path, Sequence[Verifier]], bool]
Allows = Callable[[MilestoneState, str, float], bool]
Reacts = Callable[[MilestoneState, float], list[Event]]
Judges = Callable[[Observation], Judged]
Passes = Callable[[Path], bool]


class Desk:
    """A subject with a folder of its own to work in."""

    def __init__(self, folder: Path, subject: Callable[..., bool]) -> None:
        self.folder, self.subject = folder, subject


def check_only_signed_and_unchanged_evidence_is_believed(desk: Desk) -> None:
    ours_, others = (Signer(name, Ed25519PrivateKey.generate()) for name in ("ours", "others"))
    path = write(sample(at=NOW), desk.folder)
    assert not desk.subject(path, [ours_.verifier])
    sign(path, ours_)
    assert desk.subject(path, [ours_.verifier])
    assert not desk.subject(path, [others.verifier])
    assert not desk.subject(path, [])
    whole = path.read_bytes()
    path.write_bytes(whole + b" ")
    assert not desk.subject(path, [ours_.verifier])
    path.write_bytes(whole)
    sidecar(path).write_bytes(b"{}")
    assert not desk.subject(path, [ours_.verifier])


def believes(path: Path, verifiers: Sequence[Verifier]) -> bool:
    return verify(path, verifiers).ok


def believes_any_signature(path: Path, verifiers: Sequence[Verifier]) -> bool:
    return sidecar(path).exists() and bool(verifiers)


def believes_the_unsigned(path: Path, verifiers: Sequence[Verifier]) -> bool:
    verdict: Verdict = verify(path, verifiers)
    return verdict.ok or verdict.reason == "unsigned"


def check_p2_waits_for_green_and_fresh_p0(allows: Allows) -> None:
    assert allows(measured(dict.fromkeys(P0, ("green", NOW))), "FG-12", NOW + DAY)
    for item in P0:
        for fault in (("red", NOW), ("green", NOW - 30 * DAY), None):
            found = dict.fromkeys(P0, ("green", NOW)) | ({item: fault} if fault else {})
            if fault is None:
                del found[item]
            assert not allows(measured(found), "FG-12", NOW + DAY)


def measured(found: dict[str, tuple[str, float]]) -> MilestoneState:
    state = MilestoneState()
    for item, (result, at) in found.items():
        fold(
            state,
            EvidenceRecorded(
                at=at, item=item, result="green" if result == "green" else "red", digest=item, measured_at=at,
                file="f", command="c", switch="s", key="k",
            ),
        )  # fmt: skip
    return state


def allows(state: MilestoneState, item: str, now: float) -> bool:
    answer: Answer = may_go_strict(state, item, now)
    return answer.allowed


def allows_the_stale(state: MilestoneState, item: str, now: float) -> bool:
    return may_go_strict(state, item, now, fresh_s=1e12).allowed


def allows_the_missing(state: MilestoneState, item: str, now: float) -> bool:
    return "missing" in may_go_strict(state, item, now).blocking.values() or allows(state, item, now)


def check_red_p0_rolls_back_once_and_thaws_when_green(reacts: Reacts) -> None:
    for item in P0:
        state = measured(dict.fromkeys(P0, ("green", NOW)) | {item: ("red", NOW)})
        events = reacts(state, NOW)
        flips = {event.name: event.value for event in events if isinstance(event, FlagFlipped)}
        assert flips == dict([BRAKES[item], ("OPENCODE_MILESTONE_M1", "false")])
        for event in events:
            fold(state, event)
        assert reacts(state, NOW) == []
        state.evidence[item] = msgspec.structs.replace(state.evidence[item], result="green")
        assert [event.TOPIC for event in reacts(state, NOW)] == ["milestone.thawed"]


def check_a_misbehaving_plugin_is_quarantined(judges: Judges) -> None:
    assert judges(Observation()).state == "healthy"
    assert judges(Observation(crash_count=2)).state == "healthy"
    for fault in (Observation(crash_count=3), Observation(policy_violation=True), Observation(dependency_ok=False)):
        assert judges(fault).state == "quarantine"
    assert judges(Observation(heartbeat_ok=False)) == Judged("degraded", "missing-heartbeat")
    assert judges(Observation(configured=False, discovered=False)) == Judged("unknown", "not-discovered")


def check_every_planted_fault_fails_the_suite(desk: Desk) -> None:
    for number, (_, plant, _) in enumerate(FAULTS.values()):
        root = desk.folder / str(number)
        root.mkdir()
        assert desk.subject(ours(root))
        plant(root)
        assert not desk.subject(root)


def passes(root: Path) -> bool:
    return all(report.passed for report in run_suite(root).values())


def passes_but_for_plugins(root: Path) -> bool:
    return all(report.passed for name, report in run_suite(root).items() if name != "plugin-compatibility")


BARS = [
    Bar(
        check_only_signed_and_unchanged_evidence_is_believed,
        lambda folder: Desk(folder, believes),
        lambda folder: Desk(folder, lambda *_: True),
        {
            "any signature": lambda folder: Desk(folder, believes_any_signature),
            "no signature": lambda folder: Desk(folder, believes_the_unsigned),
        },
    ),
    Bar(
        check_p2_waits_for_green_and_fresh_p0,
        lambda _: allows,
        lambda _: lambda *_: True,
        {"stale": lambda _: allows_the_stale, "missing": lambda _: allows_the_missing},
    ),
    Bar(
        check_red_p0_rolls_back_once_and_thaws_when_green,
        lambda _: react,
        lambda _: lambda *_: [],
        {"no thaw": lambda _: lambda state, now: [] if not_red(state) else react(state, now)},
    ),
    Bar(
        check_a_misbehaving_plugin_is_quarantined,
        lambda _: judge,
        lambda _: lambda _: Judged("healthy", "healthy"),
        {"all forgiven": lambda _: lambda seen: judge(seen, forgiven=9)},
    ),
    Bar(
        check_every_planted_fault_fails_the_suite,
        lambda folder: Desk(folder, passes),
        lambda folder: Desk(folder, lambda *_: True),
        {"plugins unseen": lambda folder: Desk(folder, passes_but_for_plugins)},
    ),
]


def not_red(state: MilestoneState) -> bool:
    return all(seen.result == "green" for seen in state.evidence.values())
