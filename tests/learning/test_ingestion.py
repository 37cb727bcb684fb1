"""Signed records come in, once; everything else is refused with its code, and counted."""

import threading

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane import ControlPlane
from control_plane.learning import replay, rules
from control_plane.learning.events import (
    AdviceInvalidated,
    RecordAccepted,
    RecordsRejected,
    SigningModeChanged,
)
from control_plane.learning.keys import key_id
from control_plane.learning.reasons import Reason
from control_plane.learning.service import Learning
from control_plane.learning.signing import payload_of, sign, sign_payload
from control_plane.ledger.dsse import open_envelope
from control_plane.ledger.notes import Verifier
from control_plane.proving import HandClock
from control_plane.proving.forging import FALSIFICATIONS, Forge
from tests.learning.conftest import Open, admit


def written(plane: ControlPlane, kind: type) -> list:
    return [found.event for found in plane.ledger.read(0, 100_000) if isinstance(found.event, kind)]


@pytest.mark.requirement("GOV-01", "FG-04-1")
def test_a_signed_record_of_an_admitted_agent_is_let_in(plane: ControlPlane, forge: Forge):
    line = sign(forge.predicate(kind="anti-pattern", pattern="wrong_tool"), forge.honest)
    assert plane.learn(line.decode()).accepted == 1
    (event,) = written(plane, RecordAccepted)
    public = forge.honest.public_key().public_bytes_raw()
    assert (event.verified, event.key_id, event.pattern) == (True, key_id(public), "wrong_tool")
    # The agent's own signature stays with it: anybody can check it from the log alone.
    assert open_envelope(event.envelope.encode(), [Verifier("agent", public)])


def test_what_is_no_feature_is_not_kept(plane: ControlPlane, forge: Forge):
    secret = "the customer's words"
    for line in (
        sign(forge.predicate(description=secret), forge.honest),
        sign(forge.predicate(details={"prompt": secret}), forge.honest),
    ):
        assert plane.learn(line).accepted == 1
    assert all(event.envelope == "" for event in written(plane, RecordAccepted))
    assert all(secret.encode() not in bytes(state) for *_, state in plane.ledger.rows(0, 1000))


@pytest.mark.requirement("GOV-03", "FG-04-2")
def test_each_way_of_falsifying_is_refused_with_its_reason(plane: ControlPlane, forge: Forge):
    for name, (_, reasons) in FALSIFICATIONS.items():
        lines: list = [forge.falsified(name) for _ in range(5)]
        done = plane.learning.ingest(lines)
        assert done.accepted == 0, name
        assert set(done.reasons) <= reasons, name
        assert plane.learning.ingest(lines).reasons == done.reasons, "the same line, the same reason"


@pytest.mark.requirement("GOV-03", "FG-04-PASS")
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**63), names=st.lists(st.sampled_from([*FALSIFICATIONS, "valid"]), min_size=50, max_size=50)
)
def test_falsified_records_never_come_in_and_true_ones_always_do(seed: int, names: list[str]):
    """Without a ledger, so that many can be tried; `make prove` tries a hundred thousand, and the proof on a ledger."""
    fuzz(seed, names)


@pytest.mark.long
@pytest.mark.requirement("FG-04-PASS")
@settings(max_examples=2_200, deadline=None)
@given(
    seed=st.integers(0, 2**63), names=st.lists(st.sampled_from([*FALSIFICATIONS, "valid"]), min_size=50, max_size=50)
)
def test_a_hundred_thousand_falsified_records_never_come_in(seed: int, names: list[str]):
    fuzz(seed, names)


def fuzz(seed: int, names: list[str]) -> None:
    forge = Forge(seed, HandClock().now())
    keys = {
        key_id(key.public_key().public_bytes_raw()): rules.Known("", key.public_key(), key is forge.fallen)
        for key in (forge.honest, forge.second, forge.fallen)
    }
    keys = {name: known._replace(key_id=name) for name, known in keys.items()}
    state, batch = rules.LearningState(), set[tuple[str, bytes]]()
    for name in names:
        line = forge.valid() if name == "valid" else forge.falsified(name)
        checked = rules.check(line, keys, "require-valid-signature")
        found = checked if isinstance(checked, Reason) else rules.judge(state, checked, forge.now, batch)
        if name == "valid":
            assert isinstance(found, RecordAccepted)
            assert not isinstance(checked, Reason)
            assert rules.judge(state, checked, forge.now, batch) is Reason.REPLAYED
        else:
            assert isinstance(found, Reason), (name, line)
            assert found in FALSIFICATIONS[name].reasons, (name, line)


@pytest.mark.requirement("GOV-04")
def test_a_record_comes_in_once(plane: ControlPlane, forge: Forge):
    line = forge.valid()
    assert plane.learning.ingest([line, line]).reasons == {"replayed": 1}
    assert plane.learn(line).reasons == {"replayed": 1}


@pytest.mark.requirement("GOV-04")
def test_a_record_comes_in_once_for_all_processes_and_for_good(open_plane: Open, forge: Forge):
    first, line = admit(open_plane(), forge), forge.valid()
    second = open_plane()
    assert first.learn(line).accepted == 1
    assert second.learn(line).reasons == {"replayed": 1}
    first.close()
    second.close()
    assert open_plane().learn(line).reasons == {"replayed": 1}


@pytest.mark.requirement("GOV-04")
def test_two_threads_with_one_record_get_it_in_once(open_plane: Open, forge: Forge):
    planes = [admit(open_plane(), forge), open_plane()]
    lines = [forge.valid() for _ in range(40)]
    done = []
    threads = [
        threading.Thread(target=lambda p=p: done.append([p.learn(line).accepted for line in lines])) for p in planes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(pair) for pair in zip(*done, strict=True)] == [1] * 40


def test_the_window_narrows_where_memory_ends_and_for_that_key_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replay, "MOST", 10)
    seen, now = replay.Seen(), 1_000_000.0
    for number in range(15):
        assert replay.within(seen, now + number, now + 20)
        replay.remember(seen, b"%d" % number, now + number, now + 20)
    assert len(seen.digests) == len(seen.order) == 10
    # What was forgotten can come in no more; what can come in is remembered.
    for number in range(15):
        assert replay.within(seen, now + number, now + 20) == (b"%d" % number in seen.digests)
    assert replay.within(None, now, now + 20)


def test_what_is_too_old_is_forgotten_and_refused():
    seen, now = replay.Seen(), 1_000_000.0
    replay.remember(seen, b"old", now, now)
    later = now + replay.WINDOW
    replay.remember(seen, b"new", later, later)
    assert seen.digests == {b"new"}
    assert not replay.within(seen, now, later)


@pytest.mark.requirement("GOV-02")
def test_a_weaker_mode_lets_in_whatever_a_stricter_one_does_and_more(forge: Forge):
    keys = {key_id(forge.honest.public_key().public_bytes_raw()): rules.Known("k", forge.honest.public_key(), False)}
    lines = [
        sign(forge.predicate(), forge.honest),
        sign(forge.predicate(), forge.stranger),
        payload_of(forge.predicate()),
        msgspec.json.encode(forge.predicate()),
        forge.falsified("signature: none"),
        forge.falsified("no trace id"),
        b"{}",
    ]
    let_in = {mode: [not isinstance(rules.check(line, keys, mode), Reason) for line in lines] for mode in rules.MODES}
    assert let_in["require-valid-signature"] == [True, False, False, False, False, False, False]
    assert let_in["require-signed"] == [True, True, False, False, False, False, False]
    assert let_in["allow-unsigned"] == [True, True, True, True, True, False, False]
    assert let_in["off"] == let_in["allow-unsigned"]


@pytest.mark.requirement("GOV-02")
def test_only_what_was_verified_says_so(open_plane: Open, forge: Forge):
    plane = admit(open_plane("require-signed"), forge)
    plane.learning.ingest([sign(forge.predicate(), forge.stranger), sign(forge.predicate(), forge.honest)])
    assert [event.verified for event in written(plane, RecordAccepted)] == [False, True]
    assert plane.learning.counts().unverified == 1


def test_in_mode_off_nothing_counts_as_verified(open_plane: Open, forge: Forge):
    plane = admit(open_plane("off"), forge)
    assert plane.learn(forge.valid()).accepted == 1
    (event,) = written(plane, RecordAccepted)
    assert (event.verified, event.key_id) == (False, "")


def test_a_record_that_came_in_unverified_does_not_come_again_with_its_signature(open_plane: Open, forge: Forge):
    line = forge.valid()
    with admit(open_plane("off"), forge) as plane:
        assert plane.learn(line).accepted == 1
    with open_plane() as plane:
        assert plane.learn(line).reasons == {"replayed": 1}


def test_nor_does_a_signed_one_without_it(open_plane: Open, forge: Forge):
    predicate = forge.predicate()
    with admit(open_plane(), forge) as plane:
        assert plane.learn(sign(predicate, forge.honest)).accepted == 1
    with open_plane("allow-unsigned") as plane:
        assert plane.learn(payload_of(predicate)).reasons == {"replayed": 1}


@pytest.mark.requirement("FG-04-ROLLBACK")
def test_weakening_the_mode_is_a_warning_event_and_strengthening_one_too(open_plane: Open):
    with open_plane() as plane:
        assert written(plane, SigningModeChanged) == []
    with open_plane("require-signed"), open_plane("require-signed"):
        pass
    with open_plane() as plane:
        weaker, stricter = written(plane, SigningModeChanged)
    assert (weaker.before, weaker.after) == ("require-valid-signature", "require-signed")
    assert (weaker.weakened, weaker.severity) == (True, "warning")
    assert (stricter.weakened, stricter.severity) == (False, "info")


def test_a_mode_that_changes_while_the_plane_is_open_is_told_before_the_record(plane: ControlPlane, forge: Forge):
    weaker = Learning(plane.ledger, plane.folder, lambda: "allow-unsigned")
    assert weaker.learn(payload_of(forge.predicate())).accepted == 1
    kinds = [type(found.event) for found in plane.ledger.read(0, 1000)]
    assert kinds.index(SigningModeChanged) < kinds.index(RecordAccepted)


@pytest.mark.requirement("GOV-03")
def test_a_flood_of_rejections_is_a_few_events_and_no_count_is_lost(
    plane: ControlPlane, forge: Forge, clock: HandClock
):
    for _ in range(500):
        plane.learn(forge.falsified("signature: one bit"))  # type: ignore[arg-type]
        clock.pass_by(0.1)
    assert 4 <= len(written(plane, RecordsRejected)) <= 6
    assert plane.learning.counts().reasons["invalid_signature"] == 500
    plane.learning.flush()
    assert sum(event.reasons["invalid_signature"] for event in written(plane, RecordsRejected)) == 500
    plane.learning.flush()
    assert plane.learning.counts().rejected == 500


def test_counts_are_told_when_the_plane_closes(open_plane: Open):
    with open_plane() as plane:
        for _ in range(3):
            plane.learn(b"{}")
    counts = open_plane().learning.counts()
    assert (counts.rejected, counts.reasons["unsigned_event"]) == (3, 3)


@pytest.mark.requirement("FG-03-3")
def test_an_update_names_the_task_types_and_repos_that_it_touches(plane: ControlPlane, forge: Forge):
    about = {"kind": "anti-pattern", "pattern": "wrong_tool"}
    plane.learning.ingest(
        [
            sign(forge.predicate(**about, task_type="code.fix", repo="acme/shop"), forge.honest),
            sign(forge.predicate(**about, task_type="code.review", repo="acme/till"), forge.honest),
            sign(forge.predicate(kind="tool-usage", pattern=None, task_type="code.none"), forge.honest),
        ]
    )
    (event,) = written(plane, AdviceInvalidated)
    assert (event.task_types, event.repos, event.records) == (
        ("code.fix", "code.review"),
        ("acme/shop", "acme/till"),
        2,
    )
    plane.learn(sign(forge.predicate(**about, task_type="code.fix"), forge.honest))
    assert written(plane, AdviceInvalidated)[-1].repos == ()


def test_without_invalidation_nothing_is_invalidated(open_plane: Open, forge: Forge):
    plane = admit(open_plane(OPENCODE_LEARNING_INVALIDATION="false"), forge)
    assert plane.learn(forge.valid()).accepted == 1
    assert written(plane, AdviceInvalidated) == []


def test_state_survives_its_snapshot(open_plane: Open, forge: Forge):
    with admit(open_plane(), forge) as plane:
        plane.learning.ingest([forge.valid() for _ in range(200)])
        before = msgspec.json.encode(plane.learning.state, order="sorted")
    with open_plane() as plane:
        assert plane.folder.faults == 0
        assert msgspec.json.encode(plane.learning.state, order="sorted") == before


def test_an_envelope_that_says_too_much_is_let_in_and_not_kept(plane: ControlPlane, forge: Forge):
    statement = msgspec.json.decode(payload_of(forge.predicate()))
    statement["subject"] *= 300
    line = sign_payload(msgspec.json.encode(statement), forge.honest)
    assert len(line) > 30_000
    assert plane.learn(line).accepted == 1
    assert written(plane, RecordAccepted)[0].envelope == ""
