"""What the proofs under `scripts/` share: a frame, processes that may be killed, homes to throw away, percentiles."""

from .bars import Bars
from .frame import Findings, Plays, keep, run_proof, told
from .hand import HandClock
from .homes import arms, flags, temporary_home
from .latencies import Latencies
from .processes import Process

__all__ = [
    "Bars",
    "Findings",
    "HandClock",
    "Latencies",
    "Plays",
    "Process",
    "arms",
    "flags",
    "keep",
    "run_proof",
    "temporary_home",
    "told",
]
