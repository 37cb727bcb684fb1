"""Alert rules: each one fires on the trouble that it is for and keeps quiet without it; all lead to a runbook."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from control_plane.api.alerts import RULES, as_yaml
from control_plane.cli.command import load
from tests.api.promql import Series, evaluate
from tests.api.test_metrics import work

ROOT = Path(__file__).parents[2]
BY_NAME = {rule.name: rule for rule in RULES}
NOW = 10 * 86400.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def grows(rate: float, since: float = 0.0) -> Callable[[float], float]:
    """A counter that rises by so much a second since a time."""
    return lambda at: max(0.0, at - since) * rate


def stays(value: float) -> Callable[[float], float]:
    return lambda _: value


def requests(bad_share: float, lasting: float, route: str = "/api/advise") -> Series:
    """A hundred requests a second, of which so many fail since so long ago."""
    return {
        "control_plane_requests_total": [
            ({"route": route, "status": "200"}, grows(100)),
            ({"route": route, "status": "500"}, grows(100 * bad_share, NOW - lasting)),
            ({"route": "/ready", "status": "503"}, grows(100)),
        ]
    }


def bridged(operation: str, bad_share: float, lasting: float) -> Series:
    """Ten calls of the bridge a second, of which so many fail since so long ago; other calls all fail."""
    bad = {"operation": operation, "method": "POST", "status_code": "500"}
    return {
        "bridge_requests_total": [
            ({**bad, "status_code": "200"}, grows(10)),
            (bad, grows(10 * bad_share, NOW - lasting)),
            ({**bad, "operation": "another"}, grows(10)),
        ]
    }


def measured(name: str, edge: str, slow_share: float, lasting: float) -> Series:
    """A hundred observations a second, of which so many lie beyond an edge since so long ago."""
    slow = grows(100 * slow_share, NOW - lasting)
    return {
        f"control_plane_{name}_seconds_count": [({}, grows(100))],
        f"control_plane_{name}_seconds_bucket": [
            ({"le": edge}, lambda at: grows(100)(at) - slow(at)),
            ({"le": "+Inf"}, grows(100)),
        ],
    }


def gauge(name: str, value: float, **labels: str) -> Series:
    return {f"control_plane_{name}": [(labels, stays(value))]}


def counted(name: str, per_hour: float, **labels: str) -> Series:
    return {f"control_plane_{name}_total": [(labels, grows(per_hour / HOUR))]}


# For each rule: trouble, and what is close to it but no trouble.
CASES: dict[str, tuple[Series, tuple[Series, ...]]] = {
    "ErrorsBurnsFast": (
        requests(0.02, 2 * HOUR),
        (requests(0.01, DAY), requests(0.02, 2 * MINUTE), requests(0.5, DAY, "/ready"), {}),
    ),
    "ErrorsBurnsSteady": (requests(0.008, 8 * HOUR), (requests(0.004, DAY), requests(0.01, 10 * MINUTE))),
    "ErrorsBurnsSlow": (requests(0.002, 4 * DAY), (requests(0.0005, 5 * DAY), requests(0.0019, HOUR))),
    "SlowDecisionsBurnsFast": (
        measured("decision", "0.005", 0.2, 2 * HOUR),
        (measured("decision", "0.005", 0.1, DAY), measured("decision", "0.005", 0.9, 2 * MINUTE)),
    ),
    "SlowDecisionsBurnsSteady": (
        measured("decision", "0.005", 0.08, 8 * HOUR), (measured("decision", "0.005", 0.05, DAY),)
    ),
    "SlowDecisionsBurnsSlow": (
        measured("decision", "0.005", 0.02, 4 * DAY), (measured("decision", "0.005", 0.005, 5 * DAY),)
    ),
    "PostsBurnsFast": (
        bridged("post_message", 0.3, 2 * HOUR), (bridged("post_message", 0.1, DAY), bridged("read_messages", 1, DAY))
    ),
    "PostsBurnsSteady": (bridged("post_message", 0.1, 8 * HOUR), (bridged("post_message", 0.05, DAY),)),
    "PostsBurnsSlow": (bridged("post_message", 0.02, 4 * DAY), (bridged("post_message", 0.005, 5 * DAY),)),
    "ReadsBurnsFast": (bridged("read_messages", 0.1, 2 * HOUR), (bridged("read_messages", 0.05, DAY),)),
    "ReadsBurnsSteady": (bridged("read_messages", 0.05, 8 * HOUR), (bridged("read_messages", 0.02, DAY),)),
    "ReadsBurnsSlow": (bridged("read_messages", 0.01, 4 * DAY), (bridged("read_messages", 0.003, 5 * DAY),)),
    "Silent": ({}, (gauge("ledger_position", 7),)),
    "CommitsFail": (gauge("commit_failing", 1), (gauge("commit_failing", 0),)),
    "JournalFills": (gauge("journal_depth", 100_001), (gauge("journal_depth", 100_000),)),
    "CommitsLate": (measured("commit_lag", "1.0", 0.1, HOUR), (measured("commit_lag", "1.0", 0.04, HOUR),)),
    "EventLoopBlocked": (
        measured("event_loop_late", "0.025", 0.02, HOUR), (measured("event_loop_late", "0.025", 0.005, HOUR),)
    ),
    "ParityLost": (gauge("replay_parity", 0.999), (gauge("replay_parity", 1.0), {})),
    "ArmsCooled": (
        {"control_plane_cooled": [({"name": name}, stays(1)) for name in "abc"]},
        ({"control_plane_cooled": [({"name": name}, stays(1)) for name in "ab"]}, {}),
    ),
    "StrategiesBypassed": (gauge("strategies_bypassed", 1), (gauge("strategies_bypassed", 0),)),
    "ReviewOld": (gauge("review_age_p95_hours", 24.1), (gauge("review_age_p95_hours", 24.0), {})),
    "RetrievalPoor": (
        gauge("retrieval_map", 0.49),
        (gauge("retrieval_map", 0.5), gauge("retrieval_grounded_recall", 0.6), {}),
    ),
    "RecordsRejected": (
        {"control_plane_records_rejected_total": [({"reason": one}, grows(6 / HOUR)) for one in "ab"]},
        (counted("records_rejected", 9, reason="a"), {}),
    ),
    "Knocking": (counted("refused", 2 * HOUR, code="access.unauthorized"), (counted("refused", HOUR / 2, code="x"),)),
    "PollsOverlap": (counted("poll_overlaps", 11), (counted("poll_overlaps", 9),)),
}  # fmt: skip


@pytest.mark.requirement("SERVE-22", "SERVE-23")
@pytest.mark.parametrize("name", BY_NAME)
def test_a_rule_fires_on_its_trouble_and_on_nothing_else(name):
    trouble, fine = CASES[name]
    assert evaluate(BY_NAME[name].expr, trouble, NOW), "it does not see the trouble"
    for series in fine:
        assert not evaluate(BY_NAME[name].expr, series, NOW), "it sees trouble where there is none"


def test_poor_recall_alone_is_seen():
    assert evaluate(BY_NAME["RetrievalPoor"].expr, gauge("retrieval_grounded_recall", 0.59), NOW)


@pytest.mark.requirement("SERVE-22", "SERVE-23")
def test_every_rule_leads_to_a_runbook_that_says_what_to_do():
    known = {entry.name for entry in load([])}
    for rule in RULES:
        text = (ROOT / "docs/runbooks" / f"{rule.runbook}.md").read_text()
        assert f"ControlPlane{rule.name}" in text or "Burns" in rule.name, rule.name
        for heading in ("## Where to look", "## What to do"):
            assert heading in text, (rule.runbook, heading)
        for words in re.findall(r"`control-plane ([a-z -]+[a-z])", text):
            first = words.split()
            assert any(" ".join(first[:count]) in known for count in (1, 2, 3)), (rule.runbook, words)


@pytest.mark.requirement("SERVE-22")
def test_the_page_is_what_the_rules_say():
    text = (ROOT / "docs/alerts.yaml").read_text()
    assert text == as_yaml()
    (group,) = yaml.safe_load(text)["groups"]
    assert [one["alert"] for one in group["rules"]] == [f"ControlPlane{rule.name}" for rule in RULES]
    assert [one["expr"] for one in group["rules"]] == [rule.expr for rule in RULES]
    assert {one["labels"]["severity"] for one in group["rules"]} == {"page", "ticket"}
    moved = yaml.safe_load(as_yaml("https://example.test/runbooks/"))["groups"][0]["rules"][0]
    assert moved["annotations"]["runbook_url"] == "https://example.test/runbooks/errors.md"


@pytest.mark.anyio
async def test_every_series_that_a_rule_asks_for_is_exposed(client, plane, clock):
    await work(client, plane)
    text = (await client.get("/metrics")).text
    exposed, edges = set(), {}
    for family in text_string_to_metric_families(text):
        exposed |= {family.name, f"{family.name}_total"} if family.type == "counter" else {family.name}
        for sample in family.samples:
            exposed.add(sample.name)
            if "le" in sample.labels:
                edges.setdefault(sample.name, set()).add(sample.labels["le"])
    # Told once somebody has measured them; test_metrics shows them.
    later = {"control_plane_retrieval_map", "control_plane_retrieval_grounded_recall"}
    assert {one for one in exposed if one.startswith("bridge_requests")}
    for rule in RULES:
        asked = set(re.findall(r"control_plane_\w+", rule.expr))
        assert asked <= exposed | later, rule.name
        for name, edge in re.findall(r'(control_plane_\w+)\{le="([^"]+)"\}', rule.expr):
            assert edge in edges[name], rule.name
