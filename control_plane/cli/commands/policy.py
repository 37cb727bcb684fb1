"""`policy` moves a policy from draft to enforce, through its gates, and back."""

import argparse
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from ...replacing import replace
from ..command import argument, command
from ..files import content_of
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...governance.rules import StepRefused
    from ...governance.service import Shown

_NAME = argument("name", metavar="NAME", help="the policy, as `policy list` shows it")
_BY = (
    argument("--actor", required=True, metavar="NAME", help="who wants it; kept in the signed event"),
    argument("--reason", required=True, metavar="WORDS", help="why; kept in the signed event"),
)
_ARTIFACTS = (
    argument("--simulation", metavar="FILE", help="a signed simulation; else the newest that was recorded"),
    argument("--evaluation", metavar="FILE", help="a signed evaluation; else the newest that was recorded"),
)


@command("policy list", "every policy, its stage, and which one is in force", "control-plane policy list")
def policy_list(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    with looking(arguments) as plane:
        found = plane.policies.list()
    rows = [
        (one.policy, str(one.policy_revision), _stage(one), "yes" if one.in_force else "", one.policy_hash[:12])
        for one in found
    ]
    heads = ("policy", "revision", "stage", "in force", "hash")
    out.answer(msgspec.to_builtins(found), table(heads, rows, right=(1,)) if rows else ["no policy yet"])
    return 0


@command(
    "policy show",
    "one policy: its standing, its content, and what its gates say now",
    "control-plane policy show careful",
    arguments=(_NAME,),
)
def policy_show(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    with looking(arguments) as plane:
        shown, document = plane.policies.show(arguments.name), plane.policies.document(arguments.name)
        gates = {kind: judged.verdict for kind, judged in plane.policies.judge(arguments.name).items()}
    facts: dict[str, Any] = msgspec.to_builtins(shown) | {"gates": gates, "document": msgspec.to_builtins(document)}
    told = [*_lines(shown), *((f"{kind} gate", verdict) for kind, verdict in gates.items())]
    told += [(f"router {name}", str(value)) for name, value in document.router.items()]
    told += [("flag", f"{name}={value}") for name, value in document.flags.items()]
    out.answer(facts, pairs(told))
    return 0


@command(
    "policy propose",
    "a new revision, a draft, out of a TOML file",
    "control-plane policy propose careful.toml --actor ann --reason 'fewer retries'",
    arguments=(argument("file", metavar="FILE", help="the policy in TOML; - reads standard input"), *_BY),
)
def policy_propose(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import deciding

    text = content_of(arguments.file)
    with deciding(arguments) as plane:
        return _told(plane.policies.propose(text, actor=arguments.actor, reason=arguments.reason), out)


@command(
    "policy advance",
    "one stage on, when the gates before it open",
    "control-plane policy advance careful --actor ann --reason 'the simulation passed'",
    arguments=(
        _NAME,
        argument("--to", metavar="STAGE", help="the stage that is meant; refused when it is not the next one"),
        argument("--share", type=float, metavar="PART", help="a canary's share, between 0 and 1"),
        *_ARTIFACTS,
        *_BY,
    ),
)
def policy_advance(arguments: argparse.Namespace, out: Output) -> int:
    from ...governance.rules import StepRefused
    from ..planes import looking

    offers = {kind: content_of(named) if (named := getattr(arguments, kind)) else None for kind in _KINDS}
    with looking(arguments) as plane:
        try:
            shown = plane.policies.advance(
                arguments.name,
                actor=arguments.actor,
                reason=arguments.reason,
                to=arguments.to,
                share=arguments.share,
                simulation=offers["simulation"],
                evaluation=offers["evaluation"],
            )
        except StepRefused as fault:
            return _refused(arguments.name, fault, out)
        return _told(shown, out)


@command(
    "policy rollback",
    "one stage back; no gate stands in this direction",
    "control-plane policy rollback careful --actor ann --reason 'too many pauses'",
    arguments=(_NAME, *_BY),
)
def policy_rollback(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        return _told(plane.policies.rollback(arguments.name, actor=arguments.actor, reason=arguments.reason), out)


@command(
    "policy record",
    "keep a signed simulation or evaluation for the steps to come",
    "control-plane policy record evaluation.dsse.json",
    arguments=(argument("file", metavar="FILE", help="the DSSE envelope; - reads standard input"),),
)
def policy_record(arguments: argparse.Namespace, out: Output) -> int:
    from ...governance.rules import StepRefused
    from ..planes import looking

    envelope = content_of(arguments.file)
    with looking(arguments) as plane:
        try:
            digest = plane.policies.record(envelope)
        except StepRefused as fault:
            return _refused("", fault, out)
    out.answer({"recorded": True, "digest": digest}, [f"recorded under {digest}"])
    return 0


@command(
    "policy evaluate",
    "sign and keep an evaluation: the difference of two sets of scores, with its bootstrap interval",
    "control-plane policy evaluate careful scores.json",
    arguments=(
        _NAME,
        argument("file", metavar="FILE", help='{"candidate": [...], "baseline": [...]}, the higher the better'),
        argument("--out", metavar="FILE", help="write the artifact there as well"),
    ),
)
def policy_evaluate(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    class Scores(msgspec.Struct, forbid_unknown_fields=True):
        candidate: list[float]
        baseline: list[float]

    try:
        scores = msgspec.json.decode(content_of(arguments.file), type=Scores)
    except msgspec.DecodeError as fault:
        raise BadInput(f"{arguments.file} holds no scores", why=str(fault)) from None
    with looking(arguments) as plane:
        report, envelope = plane.policies.evaluate(arguments.name, scores.candidate, scores.baseline)
        digest = plane.policies.record(envelope)
        verdict = plane.policies.judge(arguments.name)["evaluation"].verdict
    if arguments.out:
        replace(arguments.out, envelope)
    facts = {"digest": digest, "verdict": verdict, "report": msgspec.to_builtins(report)}
    shown = [("delta", _figure(report.delta)), ("from", _figure(report.low)), ("to", _figure(report.high))]
    out.answer(facts, pairs([("verdict", verdict), *shown, ("samples", str(report.samples)), ("digest", digest)]))
    return 0 if verdict == "ok" else 1


_KINDS = ("simulation", "evaluation")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4f}"


def _stage(shown: "Shown") -> str:
    share = f" {shown.share:.0%}" if shown.share is not None else ""
    return f"{shown.stage}{share}{', paused' if shown.paused else ''}"


def _lines(shown: "Shown") -> list[tuple[str, str]]:
    linked = [(kind, value) for kind in _KINDS if (value := getattr(shown, kind))]
    return [
        ("policy", f"{shown.policy}, revision {shown.policy_revision}"),
        ("stage", _stage(shown)),
        ("in force", "yes" if shown.in_force else "no"),
        ("hash", shown.policy_hash),
        *linked,
        ("changed by", shown.changed_by),
    ]


def _told(shown: "Shown", out: Output) -> int:
    import msgspec

    out.answer(msgspec.to_builtins(shown), pairs(_lines(shown)))
    return 0


def _refused(name: str, fault: "StepRefused", out: Output) -> int:
    facts = {"policy": name, "ok": False, "verdict": fault.verdict, "code": fault.code, "why": fault.why}
    words = [("", fault.what), ("  why   ", fault.why), ("  next  ", fault.cure)]
    out.answer(facts, [label + text for label, text in words if text])
    return 1
