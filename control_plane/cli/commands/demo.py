"""`demo` shows in a minute what the control plane does, on real calls and a home that is thrown away."""

import argparse
from typing import TYPE_CHECKING

from ..command import argument, command
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...demo.calls import Findings
    from ...demo.story import Told
    from ...router.estimates import Estimate


@command(
    "demo",
    "a minute with 1,300 real calls: advice, an outage, a tighter policy, a flipped byte; no key, nothing is kept",
    "control-plane demo",
    "control-plane demo --json",
    arguments=(argument("--keep", metavar="FOLDER", help="keep the home that was made, in this new folder"),),
)
def demo(arguments: argparse.Namespace, out: Output) -> int:
    import shutil
    from pathlib import Path

    import msgspec

    from ...demo.calls import look, read_calls
    from ...demo.story import tell
    from ...errors import BadInput
    from ...proving.homes import temporary_home

    keep = Path(arguments.keep) if arguments.keep else None
    if keep is not None and keep.exists():
        raise BadInput(f"{keep} is there already", cure="name a new folder")
    seen = look(read_calls())
    with temporary_home() as home:
        told = tell(home, out.started("replayed", "calls"))
        out.progress.clear()
        if keep is not None:
            shutil.copytree(home, keep)
    facts = {"calls": msgspec.to_builtins(seen), **msgspec.to_builtins(told)}
    out.answer(facts, _lines(seen, told, str(keep) if keep else ""))
    return 0 if told.flipped.named == told.flipped.position and told.parity.matched == told.parity.decisions else 1


def _lines(seen: "Findings", told: "Told", kept: str) -> list[str]:
    rows = [
        (one.model, f"{one.calls:,}", f"{one.right:.1%}", f"{one.cost_usd * 1000:.2f}", f"{one.p95_ms / 1000:.1f}")
        for one in seen.records
    ]
    most = seen.records[0]
    return [
        "1. What was done: 1,300 real calls of nine models (GSM8K: school mathematics, not coding)",
        "",
        *table(("model", "calls", "right", "$ per 1,000", "p95 s"), rows, right=(1, 2, 3, 4)),
        "",
        f"   {most.model} was used most: by price number {seen.dearest_rank} from the top of {len(rows)}, "
        f"by success number {seen.worst_rank} from the bottom.",
        *_advised(told),
        *_outage(told),
        *_tighter(told),
        *_proofs(told),
        "",
        "7. Yours: control-plane init · control-plane serve, and the dashboard is at http://127.0.0.1:8787/ · "
        f"control-plane import opencode{f' · control-plane --home {kept} stats' if kept else ''}",
    ]


def _advised(told: "Told") -> list[str]:
    routed = told.routed
    why = routed.explanation
    best = sorted(why.contenders, key=lambda one: -one.score)[:3]
    return [
        "",
        f"2. Advised: {routed.tasks:,} such tasks again, each to the arm that was advised; outcomes are drawn from its "
        "real calls",
        *_indented(
            [
                ("right", f"{routed.right_before:.1%} → {routed.right:.1%}"),
                ("$ per 1,000", f"{routed.cost_before * 1000:.2f} → {routed.cost_usd * 1000:.2f}"),
                ("now", f"{why.arm} ({why.strategy})"),
                ("why", " · ".join(why.reasons)),
                ("next to it", " · ".join(f"{one.arm} ${one.score:.3f}" for one in best)),
                ("flip", f"{why.flip.arm} {why.flip.change}" if why.flip else "nothing small would change it"),
            ]
        ),
    ]


def _outage(told: "Told") -> list[str]:
    outage = told.outage
    return [
        "",
        f"3. Outage: {outage.arm} answers with server errors. After {outage.failures} of them the next decision is "
        f"{outage.then.arm}.",
    ]


def _tighter(told: "Told") -> list[str]:
    tighter, cost, success = told.tighter, told.tighter.cost, told.tighter.success
    return [
        "",
        f"4. A tighter policy ({tighter.policy}: a success is worth 2 cents), tried on {tighter.decisions:,} recorded "
        "decisions: what would change",
        *_indented(
            [
                ("$ per 1,000", f"{_between(cost, 1000.0, '.2f')}"),
                ("right", f"{_between(success, 100.0, '.1f')} points"),
                ("refused", f"to put it in force without an artifact: {tighter.refused} ({tighter.why})"),
            ]
        ),
    ]


def _between(change: "Estimate", times: float, form: str) -> str:
    value, low, high = (format(x * times, "+" + form) for x in (change.value, change.low, change.high))
    return f"{value} (95 %: {low} to {high})"


def _proofs(told: "Told") -> list[str]:
    flipped, parity = told.flipped, told.parity
    return [
        "",
        f"5. Replay: {parity.matched:,} of {parity.decisions:,} decisions come out the same from the log alone.",
        "",
        f"6. Tampering: one bit of {flipped.events:,} events flipped in a copy; verify names position "
        f"{flipped.named} ({flipped.reason}), and that is where it was.",
    ]


def _indented(facts: list[tuple[str, str]]) -> list[str]:
    return [f"   {line}" for line in pairs(facts)]
