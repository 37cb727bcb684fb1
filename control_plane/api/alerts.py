"""Alert rules for Prometheus, written from one table: what burns, how fast, and where to read what to do."""

import json
from typing import Final, Literal

import msgspec

Severity = Literal["page", "ticket"]
# How many times faster than allowed the budget of a month is spent, over a long and a short window that both agree.
BURNS: Final[tuple[tuple[str, float, str, str, Severity], ...]] = (
    ("Fast", 14.4, "1h", "5m", "page"),
    ("Steady", 6.0, "6h", "30m", "page"),
    ("Slow", 1.0, "3d", "6h", "ticket"),
)
RUNBOOKS: Final = "docs/runbooks"


class Rule(msgspec.Struct, frozen=True):
    name: str
    expr: str
    severity: Severity
    summary: str
    runbook: str
    lasting: str = "0m"


class Objective(msgspec.Struct, frozen=True):
    """`bad` and `all` are selectors' rates with {window} in them; `allowed` is the share that may be bad."""

    name: str
    bad: str
    all: str
    allowed: float
    what: str
    runbook: str

    def rules(self) -> tuple[Rule, ...]:
        return tuple(
            Rule(
                f"{self.name}Burns{pace}",
                " and ".join(f"({self._share(window)} > {times * self.allowed:g})" for window in (long, short)),
                severity,
                f"{self.what}: the budget burns {times:g} times too fast over {long}",
                self.runbook,
            )
            for pace, times, long, short, severity in BURNS
        )

    def _share(self, window: str) -> str:
        return f"({self.bad}) / ({self.all})".replace("{window}", window)


# Whoever is not ready or not let in is told so on purpose.
_SERVED: Final = 'route!~"/ready|refused"'
_REQUESTS: Final = f"sum(rate(control_plane_requests_total{{{_SERVED}}}[{{window}}]))"
_DECISIONS: Final = "sum(rate(control_plane_decision_seconds_count[{window}]))"
OBJECTIVES: Final = (
    Objective(
        "Errors", f'sum(rate(control_plane_requests_total{{{_SERVED},status=~"5.."}}[{{window}}]))', _REQUESTS, 0.001,
        "Requests fail on our side", "errors",
    ),
    Objective(
        "SlowDecisions", f'{_DECISIONS} - sum(rate(control_plane_decision_seconds_bucket{{le="0.005"}}[{{window}}]))',
        _DECISIONS, 0.01, "Advice takes more than 5 ms", "slow-decisions",
    ),
    *(
        Objective(
            name, f'sum(rate(bridge_requests_total{{operation="{method}",status_code=~"5.."}}[{{window}}]))',
            f'sum(rate(bridge_requests_total{{operation="{method}"}}[{{window}}]))', allowed, what,
            "bridge-service-unavailable",
        )
        for name, method, allowed, what in (
            ("Posts", "post_message", 0.01, "Messages cannot be posted"),
            ("Reads", "read_messages", 0.005, "Messages cannot be read"),
        )
    ),
)  # fmt: skip


def _late(what: str, limit: str) -> str:
    """The share of ten minutes' observations beyond a limit, which is the edge of a bucket."""
    every = f"sum(rate(control_plane_{what}_seconds_count[10m]))"
    return f'({every} - sum(rate(control_plane_{what}_seconds_bucket{{le="{limit}"}}[10m]))) / {every}'


RULES: Final = (
    *(rule for objective in OBJECTIVES for rule in objective.rules()),
    Rule("Silent", "absent(control_plane_ledger_position)", "page", "No server answers Prometheus", "silent", "5m"),
    Rule("CommitsFail", "max(control_plane_commit_failing) > 0", "page", "Commits fail; the journal keeps what is told",
         "commits-fail", "1m"),
    Rule("JournalFills", "max(control_plane_journal_depth) > 100000", "page",
         "More than 100,000 events wait for their commit", "commits-fail", "2m"),
    Rule("CommitsLate",
         f"{_late('commit_lag', '1.0')} > 0.05", "ticket",
         "One commit in twenty comes more than a second late", "commits-fail", "10m"),
    Rule("EventLoopBlocked",
         f"{_late('event_loop_late', '0.025')} > 0.01", "ticket",
         "The server's loop is often more than 25 ms late", "slow-decisions", "10m"),
    Rule("ParityLost", "min(control_plane_replay_parity) < 1", "page", "Decisions do not replay as recorded", "parity"),
    Rule("ArmsCooled", "sum(control_plane_cooled) > 2", "ticket", "Several arms or providers are cooled", "arms-cooled",
         "15m"),
    Rule("StrategiesBypassed", "max(control_plane_strategies_bypassed) > 0", "ticket", "A strategy is passed over",
         "arms-cooled", "15m"),
    Rule("ReviewOld", "max(control_plane_review_age_p95_hours) > 24", "ticket", "Somebody waits for a person too long",
         "review-old"),
    Rule("RetrievalPoor",
         "(min(control_plane_retrieval_map) < 0.5) or (min(control_plane_retrieval_grounded_recall) < 0.6)", "ticket",
         "Memory is not found again", "retrieval-poor"),
    Rule("RecordsRejected", "sum(increase(control_plane_records_rejected_total[1h])) > 10", "ticket",
         "Learning records are turned away", "records-rejected"),
    Rule("Knocking", "sum(rate(control_plane_refused_total[5m])) > 1", "ticket", "Somebody is refused again and again",
         "knocking", "5m"),
    Rule("PollsOverlap", "sum(increase(control_plane_poll_overlaps_total[1h])) > 10", "ticket",
         "Recurring work is not done before it is due again", "slow-decisions"),
)  # fmt: skip


def as_yaml(runbooks: str = RUNBOOKS) -> str:
    """A rules file; JSON's quotes are YAML's too."""
    lines = ["# Generated by `control-plane alerts`.", "groups:", "  - name: control-plane", "    rules:"]
    for rule in RULES:
        lines += [
            f"      - alert: ControlPlane{rule.name}",
            f"        expr: {json.dumps(rule.expr)}",
            f"        for: {rule.lasting}",
            "        labels:",
            f"          severity: {rule.severity}",
            "        annotations:",
            f"          summary: {json.dumps(rule.summary)}",
            f"          runbook_url: {json.dumps(_page(runbooks, rule))}",
        ]
    return "\n".join(lines) + "\n"


def _page(runbooks: str, rule: Rule) -> str:
    return f"{runbooks.rstrip('/')}/{rule.runbook}.md"
