"""FG-04: strict mode lets in no record that is unsigned or falsified, and every true one; each refusal has its code.

usage: python scripts/security/fg04_ingestion_integrity.py [--quick] [--json] [--metrics DIR]
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from control_plane import Arm, ControlPlane
from control_plane.evidence import Metrics, Rollback, at_least, equal
from control_plane.learning.envelope import from_base64
from control_plane.learning.events import RecordAccepted, SigningModeChanged
from control_plane.learning.reasons import Reason
from control_plane.ledger.audit import verify
from control_plane.ledger.home import Home
from control_plane.proving import Findings, HandClock, Latencies, flags, run_proof, temporary_home
from control_plane.proving.bars import Bars
from control_plane.proving.forging import FALSIFICATIONS, Forge

FLAG = "OPENCODE_LEARNING_SIGNING_MODE"
STRICT, LENIENT = "require-valid-signature", "require-signed"
SCRIPT = "scripts/security/fg04_ingestion_integrity.py"
BATCH = 100
REPLAY = "replay"
CATALOGUE = [Arm("acme/one"), Arm("acme/two")]


class Course(msgspec.Struct):
    """What became of one stream of true and falsified records."""

    falsified: int = 0
    true: int = 0
    falsified_accepted: int = 0
    true_accepted: int = 0
    uncoded: int = 0
    wrong_reason: int = 0
    exceptions: int = 0
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    counters_agree: bool = False
    log_holds: bool = False
    replayed_after_restart: int = 0
    took: Latencies = msgspec.field(default_factory=Latencies)

    def metrics(self, of: str) -> Metrics:
        figures = dict(sorted(self.reasons.items()))
        return self.took.metrics(
            of, accepted=self.true_accepted + self.falsified_accepted, rejected=self.reasons.total(),
            errors=self.exceptions, figures={"falsified": self.falsified, "true": self.true, **figures},
        )  # fmt: skip


def open_plane(home: Path, clock: HandClock, mode: str) -> ControlPlane:
    return ControlPlane.open(home, catalogue=CATALOGUE, clock=clock, background=False, flags=flags(**{FLAG: mode}))


def admit(plane: ControlPlane, forge: Forge) -> None:
    for name in ("honest", "second", "fallen"):
        plane.learning.admit(name, getattr(forge, name).public_key().public_bytes_raw())
    plane.learning.revoke("fallen", "stolen")


class Stream:
    """True records, every way to falsify one, and repetitions of what came in, shuffled together."""

    def __init__(self, forge: Forge) -> None:
        self.forge, self.sent = forge, list[bytes]()

    def batch(self) -> tuple[list[object], list[bytes]]:
        """All lines, and which of them are true."""
        forge = self.forge
        names = [forge.chance.choice([*FALSIFICATIONS, REPLAY]) for _ in range(BATCH * 4 // 5)]
        true = [forge.valid() for _ in range(BATCH - len(names))]
        lines: list[object] = [
            forge.chance.choice(self.sent or true) if name == REPLAY else forge.falsified(name) for name in names
        ]
        lines += true
        forge.chance.shuffle(lines)
        self.sent = (self.sent + true)[-1000:]
        return lines, true


def course(mode: str, falsified: int, seed: int) -> Course:
    clock, found, true = HandClock(), Course(), set[str]()
    forge = Forge(seed, clock.now())
    with temporary_home() as home:
        with open_plane(home, clock, mode) as plane:
            admit(plane, forge)
            stream = Stream(forge)
            while found.falsified < falsified:
                lines, honest = stream.batch()
                found.true += len(honest)
                found.falsified += len(lines) - len(honest)
                true |= {digest(line) for line in honest}
                send(plane, lines, found)
                each_reason(plane, forge, found)
                clock.pass_by(0.05)
                forge.now = clock.now()
            told = plane.learning.counts().reasons
            found.counters_agree = told == {reason.value: found.reasons[reason.value] for reason in Reason}
            accepted = {event.digest for event in accepted_events(plane)}
        found.true_accepted, found.falsified_accepted = len(accepted & true), len(accepted - true)
        found.uncoded = sum(found.reasons[reason] for reason in found.reasons.keys() - set(map(str, Reason)))
        found.log_holds = verify(Home(home)).ok
        with open_plane(home, clock, mode) as plane:
            again: list[bytes] = stream.sent
            found.replayed_after_restart = plane.learning.ingest(again).accepted
    return found


def send(plane: ControlPlane, lines: list[object], found: Course) -> None:
    began = time.perf_counter()
    try:
        done = plane.learning.ingest(lines)  # type: ignore[arg-type]
    except Exception:  # a falsified record that raises has stopped all the others
        found.exceptions += 1
        return
    found.took.add((time.perf_counter() - began) / len(lines))
    found.reasons += Counter(done.reasons)


def each_reason(plane: ControlPlane, forge: Forge, found: Course) -> None:
    """One falsification by itself: the code must be one of those that fit it, and the same the second time."""
    name = forge.chance.choice(list(FALSIFICATIONS))
    line = forge.falsified(name)
    for _ in range(2):
        done = plane.learn(line)  # type: ignore[arg-type]
        found.falsified += 1
        found.reasons += Counter(done.reasons)
        found.wrong_reason += not done.accepted and not set(done.reasons) <= FALSIFICATIONS[name].reasons


def digest(line: bytes) -> str:
    payload = from_base64(msgspec.json.decode(line)["payload"])
    assert payload is not None
    return sha256(payload).hexdigest()[:32]


def accepted_events(plane: ControlPlane) -> list[RecordAccepted]:
    return [event for event in events(plane) if isinstance(event, RecordAccepted)]


def events(plane: ControlPlane) -> list[object]:
    found, position = [], 0
    while rows := plane.ledger.read(position, 4096):
        found += [row.event for row in rows]
        position = rows[-1].position
    return found


def rolled_back(seed: int) -> tuple[bool, str]:
    """Strict, then the switch, then strict again, on one log."""
    clock = HandClock()
    forge = Forge(seed, clock.now())
    forged = [forge.falsified("signature: one bit") for _ in range(3)]
    with temporary_home() as home:
        seen = []
        for number, mode in enumerate((STRICT, LENIENT, STRICT)):
            with open_plane(home, clock, mode) as plane:
                if not number:
                    admit(plane, forge)
                seen.append(plane.learn(forged[number]).accepted)  # type: ignore[arg-type]
                told = [event for event in events(plane) if isinstance(event, SigningModeChanged)]
        warned = [(event.after, event.severity) for event in told] == [(LENIENT, "warning"), (STRICT, "info")]
    result = f"a forged signature came in {seen[0]}, {seen[1]}, {seen[2]} times; the weakening is " + (
        "a warning in the log" if warned else "not told"
    )
    return seen == [0, 1, 0] and warned, result


def speed(records: int, seed: int) -> float:
    """True records for each second of one core, with their commits and folds."""
    clock = HandClock()
    forge = Forge(seed, clock.now())
    lines = [forge.valid() for _ in range(records)]
    with temporary_home() as home, open_plane(home, clock, STRICT) as plane:
        admit(plane, forge)
        began = time.process_time()
        done = plane.learning.ingest(lines)
        spent = time.process_time() - began
    assert done.accepted == records
    return records / spent


def prove(quick: bool, fault: str = "") -> Findings:
    count = 3_000 if quick else 100_000
    before = course(LENIENT, 1_000, 1)
    after = course(LENIENT if fault == "lenient" else STRICT, count, 2)
    validated, result = rolled_back(3)
    bars = Bars(quick)
    fastest = () if quick else (max(speed(10_000, 5) for _ in range(3)),)
    return Findings(
        before=before.metrics("one record in a batch of 100, signatures asked for and not checked"),
        after=after.metrics("one record in a batch of 100, strict"),
        criteria=(
            at_least("falsified records tried", after.falsified, count),
            equal("falsified or unsigned records accepted", after.falsified_accepted, 0),
            equal("share of true records accepted among them", after.true_accepted / after.true, 1.0),
            equal("refusals without a code", after.uncoded, 0),
            equal("refusals with a code that does not fit", after.wrong_reason, 0),
            equal("exceptions", after.exceptions, 0),
            equal("counters agree with what was sent", after.counters_agree, True),
            equal("records accepted again after a restart", after.replayed_after_restart, 0),
            equal("the log's signatures hold", after.log_holds, True),
            at_least("reasons seen", len(after.reasons), len(Reason)),
            at_least("falsified records accepted without the check", before.falsified_accepted, 1),
            *bars.at_least("true records a second on one core", fastest[0] if fastest else None, 5_000.0),
        ),
        rollback=Rollback(switch=f"{FLAG}={LENIENT}", validated=validated, result=result),
    )


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="lenient"` checks no signature, so that a test can see this proof fail."""
    return run_proof("FG-04", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
