"""Makes a report out of the log, writes it down, and says in the log that it was."""

from hashlib import blake2b
from pathlib import Path

from ..replacing import replace
from . import events as e
from .errors import BadTuning
from .measures import kpis
from .report import Report, as_json, as_markdown
from .reports import KINDS, figures_of
from .service import Guard


def make(guard: Guard, kind: str) -> Report:
    if kind not in KINDS:
        raise BadTuning(f"there is no report {kind!r}", cure=f"there are {', '.join(KINDS)}")
    guard.matcher()
    guard.ledger.flush()
    state = guard.state()
    title, sections = KINDS[kind](guard, state)
    return Report(
        kind=kind, title=title, at=guard.now(), position=guard.folder.position, rules=state.rules,
        figures=figures_of(kpis(state)), sections=tuple(sections),
    )  # fmt: skip


def write(guard: Guard, report: Report) -> tuple[Path, Path]:
    """Both files into the home's `reports`, and the digest of the JSON into the log."""
    folder = Path(guard.home) / "reports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = as_json(report)
    paths = folder / f"{report.kind}.md", folder / f"{report.kind}.json"
    for path, content in zip(paths, (as_markdown(report), text), strict=True):
        replace(path, content.encode(), mode=0o600)
    digest = blake2b(text.encode(), digest_size=16).hexdigest()
    guard.ledger.record(e.ReportWritten(kind=report.kind, digest=digest, figures=report.figures, at=guard.now()))
    guard.ledger.flush()
    return paths
