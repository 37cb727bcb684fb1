"""What a proof leaves behind: one template for every item, written once, checked by machine."""

from .environment import Environment, snapshot
from .signing import Verdict, is_evidence, sidecar, sign, verify
from .store import METRICS, check, make_folder, schema, write
from .template import Artifact, Criterion, Evidence, Governance, Metrics, Rollback, at_least, at_most, equal

__all__ = [
    "METRICS",
    "Artifact",
    "Criterion",
    "Environment",
    "Evidence",
    "Governance",
    "Metrics",
    "Rollback",
    "Verdict",
    "at_least",
    "at_most",
    "check",
    "equal",
    "is_evidence",
    "make_folder",
    "schema",
    "sidecar",
    "sign",
    "snapshot",
    "verify",
    "write",
]
