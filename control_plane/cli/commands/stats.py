"""`stats` shows the router in figures."""

import argparse
from typing import Any

from ..command import command
from ..printing import Output, pairs, table


@command("stats", "what was decided, how it went, who is cooled", "control-plane stats")
def stats(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ..planes import looking

    with looking(arguments) as plane:
        facts: dict[str, Any] = msgspec.to_builtins(plane.stats())
    out.answer(facts, _lines(facts))
    return 0


def _lines(facts: dict[str, Any]) -> list[str]:
    rows = [
        (
            name,
            f"{row['given']:,}",
            f"{row['results']:,}",
            f"{row['successes'] / judged:.1%}" if (judged := row["successes"] + row["failures"]) else "–",
            f"{row['cost']:.2f}",
        )
        for name, row in sorted(facts["arms"].items(), key=lambda pair: -pair[1]["given"])
    ]
    told = [
        ("decisions", f"{facts['decisions']:,}"),
        ("results", f"{facts['results']:,} ({facts['corrections']:,} corrections, {facts['repeats']:,} repeats)"),
        ("strategies", ", ".join(f"{name} {count:,}" for name, count in sorted(facts["strategies"].items())) or "none"),
        *(
            (("replay", f"{parity:.2%} decided again as recorded"),)
            if (parity := facts["replay_parity"]) is not None
            else ()
        ),
        *(("cooled", f"{one['name']}: {one['reason']}") for one in facts["cooled"]),
        *(("slow tail", f"{name}: −{share:.2f}") for name, share in sorted(facts["tail_penalties"].items())),
    ]
    shown = table(("arm", "advised", "results", "success", "cost $"), rows, right=range(1, 5)) if rows else []
    return [*shown, *([""] if shown else []), *pairs(told)]
