"""What a gate may answer, word for word; programs rely on them."""

from typing import Final, Literal

# What can be wrong with any artifact; the gate's own name stands before it: `policy_sim_unsigned`, `eval_unsigned`.
Verdict = Literal[
    "malformed",
    "unsigned",
    "unknown_key",
    "revoked_key",
    "other_kind",
    "other_ledger",
    "other_policy",
    "other_hash",
    "other_revision",
    "beyond_head",
    "other_history",
    "stale_active_revision",
    "stale_catalogue",
    "stale_flags",
    "stale_rolled_back",
    "stale_history",
    "stale_age",
    "from_the_future",
    "inconclusive",
]

OK: Final = "ok"
NO_SIMULATION: Final = "missing_policy_sim_gate"
NO_SIMULATION_ARTIFACT: Final = "missing_policy_sim_artifact"
SIMULATION_FAILED: Final = "policy_sim_failed"
RISK_MISSING: Final = "missing_policy_sim_risk"
RISK_HIGH: Final = "policy_sim_risk_high"
RATIO_MISSING: Final = "missing_policy_sim_acceptance_ratio"
RATIO_LOW: Final = "policy_sim_acceptance_ratio_below_threshold"

NO_EVALUATION: Final = "missing_eval_gate"
NO_EVALUATION_ARTIFACT: Final = "missing_eval_artifact"
EVALUATION_FAILED: Final = "eval_report_not_passed"
DELTA_MISSING: Final = "missing_eval_delta"
DELTA_LOW: Final = "eval_delta_below_threshold"

PREFIX: Final = {"simulation": "policy_sim", "evaluation": "eval"}
# These do not condemn a policy: there is not enough to judge it by yet.
PAUSING: Final = frozenset(("policy_sim_inconclusive", "eval_inconclusive"))
