"""Guardrails inside the real OpenCode: blocked writes, shadow mode, stop checks, questions that nobody can answer."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from control_plane.opencode.port import Event
from tests.opencode.conftest import PRICES, RULES, Made
from tests.opencode.world import A, Unobtainable, World, until, watched

# A real OpenCode starts slowly where others are at work.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def guarded_world(binary: str | Unobtainable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    if isinstance(binary, Unobtainable):
        yield binary
        return
    agents = {"helper": {"mode": "subagent", "prompt": "You help.", "description": "helps"}}
    asks = {"webfetch": "ask", "bash": {"*": "allow", "curl *": "ask"}}
    world = World(binary, tmp_path_factory.mktemp("guard"), cost=PRICES, agent=agents, permission=asks)
    # The client's own brake: each call carries it.
    world.env |= {"OPENCODE_ENFORCEMENT_MODE": "enforce", "OPENCODE_STOP_CHECK_MODE": "execute"}
    world.rules(RULES)
    try:
        world.install("--wait-ms", "5000", "--unchecked")
        world.settle(question_ms=300)
        world.serve()
        world.start()
        world.ready()
        yield world
    finally:
        world.close()


@pytest.fixture
def guarded(guarded_world: Made, could_not_run: Callable[[str], NoReturn]) -> World:
    if isinstance(guarded_world, Unobtainable):
        could_not_run(str(guarded_world))
    return guarded_world


def writing(path: str, text: str = "x") -> str:
    return f"CALL write {json.dumps({'filePath': path, 'content': text})}"


@pytest.mark.requirement("GUARD-22", "GUARD-47", "GUARD-48")
def test_a_blocked_write_never_reaches_the_disk_and_the_model_reads_why(guarded: World) -> None:
    session = guarded.port.create_session("blocked").id
    target = guarded.project / "secret/key.txt"
    allowed, careful = guarded.project / "open.txt", guarded.project / "care/plan.txt"
    calls = [writing(str(path)) for path in (target, allowed, careful)]
    guarded.port.prompt(session, "\n".join([*calls, "SAY over"]), model=A)
    assert not target.exists()
    assert allowed.read_text() == careful.read_text() == "x"
    messages = guarded.model.asked(session)[1]["body"]["messages"]
    told = next(one["content"] for one in messages if one["role"] == "tool")
    assert "secrets are kept elsewhere" in str(told)
    _, plain, warned = [
        one["content"] for one in guarded.model.asked(session)[-1]["body"]["messages"] if one["role"] == "tool"
    ]
    assert "[WARN]" not in str(plain)
    assert "[WARN] care: care/plan.txt. handle with care" in str(warned)
    tool = next(one.tools[0] for one in guarded.port.messages(session) if one.tools)
    assert tool["state"]["status"] == "error"
    decided = [one for one in guarded.events("guard.decided") if one["seen"].get("session") == session]
    assert "block" in {one["live"] for one in decided}


@pytest.mark.long
def test_a_person_is_told_once_when_nobody_can_vouch_for_a_check(guarded: World) -> None:
    rules = guarded.project / ".claude/skills/skill-rules.json"
    good = rules.read_text()
    rules.write_text("{ not json")
    try:
        with watched(guarded.port) as seen:
            session = guarded.port.create_session("alerted").id
            calls = [writing(str(guarded.project / f"open{n}.txt")) for n in range(2)]
            guarded.port.prompt(session, "\n".join([*calls, "SAY over"]), model=A)
            until(lambda: toasts(seen))
        assert len(toasts(seen)) == 1
        assert "the last good rules are in force" in toasts(seen)[0]
    finally:
        rules.write_text(good)


def toasts(seen: list[Event]) -> list[str]:
    shown = [str(one.properties.get("message")) for one in seen if one.type == "tui.toast.show"]
    return [one for one in shown if one.startswith("Guardrails: ")]


@pytest.mark.long
@pytest.mark.requirement("GUARD-24", "GUARD-25")
def test_a_question_that_nobody_can_answer_is_rejected_with_a_reason_in_subagents_too(guarded: World) -> None:
    session = guarded.port.create_session("asks").id
    asking = 'CALL bash {"command": "curl http://127.0.0.1:9/", "description": "fetch"}'
    guarded.port.prompt(session, f"{asking}\nSAY over", model=A, patience_s=60)
    told = [one for one in guarded.model.asked(session)[1]["body"]["messages"] if one["role"] == "tool"]
    assert "there is no terminal" in str(told)
    session = guarded.port.create_session("subagent asks").id
    task = {"description": "help", "prompt": f"{asking}\nSAY helped", "subagent_type": "helper"}
    answer = guarded.port.prompt(session, f"CALL task {json.dumps(task)}\nSAY over", model=A, patience_s=60)
    assert answer.text == "over"
    assert guarded.port._ask("GET", "/permission", list[Any]) == []
    children = [one for one in guarded.model.asked() if one["headers"].get("x-parent-session-id") == session]
    assert "there is no terminal" in str(children[-1]["body"]["messages"])


@pytest.mark.long
@pytest.mark.requirement("GUARD-23", "GUARD-50")
def test_a_failing_stop_check_sends_the_session_back_once_for_each_change_and_not_for_ever(guarded: World) -> None:
    (guarded.project / "package.json").write_text(json.dumps({"name": "p", "scripts": {"lint": "exit 3"}}))
    session = guarded.port.create_session("stops").id
    guarded.port.prompt(session, f"{writing(str(guarded.project / 'code.js'))}\nSAY over", model=A)
    until(lambda: len(guarded.of_session("turns.turn-ended", session)) >= 2)
    users = [one for one in guarded.port.messages(session) if one.info.role == "user"]
    assert len(users) == 2
    assert "lint" in users[1].text
    judged = guarded.of_session("turns.turn-judged", session)
    assert [(one["verdict"], one["source"]) for one in judged] == [("bad", "stop-checks")]
    # The second turn changed nothing: it is not asked again.
    guarded.port.prompt(guarded.port.create_session("after").id, "SAY after", model=A)
    assert len([one for one in guarded.port.messages(session) if one.info.role == "user"]) == 2


@pytest.mark.long
@pytest.mark.requirement("GUARD-49")
def test_in_shadow_mode_the_write_goes_through_and_the_log_says_what_would_have_been(auto: World) -> None:
    session = auto.port.create_session("shadow").id
    target = auto.project / "secret/key.txt"
    auto.port.prompt(session, f"{writing(str(target))}\nSAY over", model=A)
    assert target.read_text() == "x"
    decided = [one for one in auto.events("guard.decided") if one["seen"].get("session") == session]
    assert [(one["live"], one["would"]) for one in decided] == [("allow", "block")]
