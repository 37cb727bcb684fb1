"""What is written down of a case and of a run; `scripts/opencode_dogfood/schemas` says the same to others."""

from typing import Literal

import msgspec

from .cases import Code, Expected, Stage


class Evidence(msgspec.Struct, frozen=True):
    """`path` counts from the run's folder; the size tells a changed line end from a changed word."""

    path: str
    sha256: str
    size: int


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    schema_id: Literal["opencode_dogfood_case_result"] = "opencode_dogfood_case_result"
    schema_version: Literal["1.0"] = "1.0"
    case_id: str
    stage: Stage
    expected_outcome: Expected
    actual_outcome: Literal["SUCCESS", "FAIL"]
    status: Literal["PASS", "FAIL"]
    failure_code: Code | None
    reason: str
    run_id: str
    standalone: bool
    duration_ms: int
    model_id: str | None
    transport: str | None
    repo_commit: str
    evidence: tuple[Evidence, ...]


class CaseLine(msgspec.Struct, frozen=True, kw_only=True):
    case_id: str
    stage: Stage
    status: Literal["PASS", "FAIL", "SKIPPED"]
    failure_code: Code | None = None


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    schema_id: Literal["opencode_dogfood_run_summary"] = "opencode_dogfood_run_summary"
    schema_version: Literal["1.0"] = "1.0"
    run_id: str
    repo_commit: str
    standalone: bool
    total_cases: int
    passed: int
    failed: int
    skipped: int
    final_verdict: Literal["PASS", "FAIL"]
    stop_reason: str | None
    opencode_version: str | None
    cases: tuple[CaseLine, ...]


def status_of(expected: Expected, expected_code: Code | None, code: Code | None) -> Literal["PASS", "FAIL"]:
    """A case passes when what was expected came: success, or the failure with its very code."""
    if expected == "SUCCESS":
        return "PASS" if code is None else "FAIL"
    return "PASS" if code is not None and code == expected_code else "FAIL"


def to_json(told: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(told, order="sorted"), indent=2) + b"\n"
