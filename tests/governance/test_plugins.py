"""The plugin supervisor: the worst that is true decides; out of quarantine for its own deeds only by a person."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane import ControlPlane
from control_plane.errors import BadInput
from control_plane.flags import read_flags
from control_plane.governance.plugins import (
    ERROR_CHARS,
    Judged,
    Observation,
    Plugins,
    check_name,
    distribution,
    fold,
    judge,
    may_run,
    observe,
    release,
)

NOW = 1_800_000_000.0
WELL = Observation()


def seen(**more: object) -> Observation:
    return msgspec.structs.replace(WELL, **more)


@pytest.mark.requirement("GOV-34")
@pytest.mark.parametrize(
    ("sight", "state", "reason"),
    [
        (WELL, "healthy", "healthy"),
        (seen(configured=False), "healthy", "healthy"),
        (seen(configured=False, discovered=False, crash_count=9), "unknown", "not-discovered"),
        (seen(discovered=False), "degraded", "not-discovered"),
        (seen(heartbeat_ok=False), "degraded", "missing-heartbeat"),
        (seen(heartbeat_ok=False, crash_count=2), "degraded", "missing-heartbeat"),
        (seen(crash_count=2), "healthy", "healthy"),
        (seen(crash_count=3, heartbeat_ok=False), "quarantine", "crash-loop"),
        (seen(policy_violation=True, crash_count=3), "quarantine", "policy-violation"),
        (seen(dependency_ok=False, policy_violation=True), "quarantine", "dependency-break"),
        (seen(dependency_ok=False, discovered=False), "quarantine", "dependency-break"),
    ],
)
def test_the_worst_that_is_true_decides(sight: Observation, state: str, reason: str) -> None:
    assert judge(sight) == Judged(state, reason)  # type: ignore[arg-type]


def after(*sights: Observation) -> Plugins:
    plugins = Plugins()
    for second, sight in enumerate(sights):
        for event in observe(plugins, "p", sight, NOW + second):
            fold(plugins, event)
    return plugins


def told(plugins: Plugins) -> tuple[str, str]:
    return plugins.known["p"].state, plugins.known["p"].reason


@pytest.mark.requirement("GOV-34")
def test_a_crash_loop_is_not_left_by_starting_anew_but_by_a_person() -> None:
    plugins = after(seen(crash_count=3, last_error="boom"), seen(crash_count=0), WELL)
    assert told(plugins) == ("quarantine", "crash-loop")
    assert not may_run(plugins, "p")
    for event in release(plugins, "p", "ana", "mended", NOW + 9):
        fold(plugins, event)
    assert told(plugins) == ("unknown", "released")
    assert may_run(plugins, "p")
    for event in observe(plugins, "p", WELL, NOW + 10):
        fold(plugins, event)
    assert told(plugins) == ("healthy", "healthy")


def test_crashes_from_before_a_release_are_forgiven_new_ones_are_not() -> None:
    plugins = after(seen(crash_count=5))
    for event in release(plugins, "p", "ana", "mended", NOW + 1):
        fold(plugins, event)
    for count, state in ((5, "healthy"), (7, "healthy"), (8, "quarantine")):
        for event in observe(plugins, "p", seen(crash_count=count), NOW + count):
            fold(plugins, event)
        assert plugins.known["p"].state == state


def test_a_count_that_began_anew_forgives_nothing_more() -> None:
    plugins = after(seen(crash_count=5))
    for event in release(plugins, "p", "ana", "mended", NOW + 1):
        fold(plugins, event)
    for count, state in ((0, "healthy"), (3, "quarantine")):
        for event in observe(plugins, "p", seen(crash_count=count), NOW + 2 + count):
            fold(plugins, event)
        assert plugins.known["p"].state == state


def test_a_broken_dependency_heals_by_itself_but_covers_no_deed() -> None:
    assert told(after(seen(dependency_ok=False), WELL)) == ("healthy", "healthy")
    assert told(after(seen(policy_violation=True), seen(dependency_ok=False), WELL)) == (
        "quarantine",
        "policy-violation",
    )


def test_nothing_is_written_when_nothing_changed_and_since_says_from_when() -> None:
    plugins = after(WELL, WELL, seen(last_error="slow"))
    assert plugins.version == 2
    assert plugins.known["p"].since == NOW
    assert after(WELL, seen(heartbeat_ok=False)).known["p"].since == NOW + 1


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a\n", "x" * 101, "../x", "a.b"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(BadInput, match="no name of a plugin"):
        observe(Plugins(), name, WELL, NOW)
    with pytest.raises(BadInput):
        may_run(Plugins(), name)
    assert check_name("x" * 100) == "x" * 100


def test_bad_input_is_refused_before_anything_is_written() -> None:
    with pytest.raises(BadInput, match="cannot have crashed"):
        observe(Plugins(), "p", seen(crash_count=-1), NOW)
    with pytest.raises(BadInput, match="not in quarantine"):
        release(after(WELL), "p", "ana", "why", NOW)
    with pytest.raises(BadInput, match="who did it and why"):
        release(after(seen(crash_count=3)), "p", " ", "why", NOW)


SIGHTS = st.builds(
    Observation,
    configured=st.booleans(),
    discovered=st.booleans(),
    heartbeat_ok=st.booleans(),
    dependency_ok=st.booleans(),
    policy_violation=st.booleans(),
    crash_count=st.integers(0, 5),
    last_error=st.text(max_size=2 * ERROR_CHARS),
)


@given(st.lists(st.tuples(st.sampled_from(["one", "two"]), SIGHTS | st.none()), max_size=15))
@settings(max_examples=200, deadline=None)
def test_whatever_is_seen_the_promises_hold(course: list[tuple[str, Observation | None]]) -> None:
    plugins, written = Plugins(), 0
    for second, (name, sight) in enumerate(course):
        before = plugins.known.get(name)
        held = before is not None and before.state == "quarantine"
        if sight is None:
            if not held:
                continue
            events = release(plugins, name, "ana", "mended", NOW + second)
        else:
            events = observe(plugins, name, sight, NOW + second)
        written += len(events)
        for event in events:
            fold(plugins, event)
        known = plugins.known[name]
        if sight is None:
            assert known.state == "unknown"
            continue
        if before is not None and held and before.reason in ("crash-loop", "policy-violation"):
            assert known.state == "quarantine"
        if (sight.policy_violation or not sight.dependency_ok) and (sight.configured or sight.discovered):
            assert known.state == "quarantine"
        if known.state == "healthy":
            assert sight.discovered
            assert sight.heartbeat_ok
            assert sight.dependency_ok
        assert may_run(plugins, name) == (known.state != "quarantine")
        assert len(known.seen.last_error) <= ERROR_CHARS
        assert observe(plugins, name, sight, NOW + second) == []
    assert plugins.version == written
    assert sum(distribution(plugins).values()) == len(plugins.known)
    assert msgspec.json.decode(msgspec.json.encode(plugins), type=Plugins) == plugins


@pytest.mark.requirement("GOV-34")
def test_a_plane_remembers_its_quarantine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ControlPlane.open(home, flags=read_flags({}, {}), background=False) as plane:
        assert plane.plugins.observe("guard", WELL).state == "healthy"
        assert plane.plugins.observe("guard", seen(crash_count=3, last_error="boom")).reason == "crash-loop"
        assert not plane.plugins.may_run("guard")
    with ControlPlane.open(home, flags=read_flags({}, {}), background=False) as plane:
        assert plane.plugins.distribution() == {"unknown": 0, "healthy": 0, "degraded": 0, "quarantine": 1}
        assert plane.plugins.states()["guard"].seen.last_error == "boom"
        assert plane.plugins.release("guard", "ana", "mended").state == "unknown"
        assert plane.plugins.may_run("guard")
