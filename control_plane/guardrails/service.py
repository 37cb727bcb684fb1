"""The way in: looks at a call, decides, writes down what it decided, and answers."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..clock import new_id
from ..flags import Flags
from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..projections import deciding as deciding_loop
from ..projections.folding import Folder
from ..redacting import without_secrets, without_secrets_in
from . import events as e
from . import outside, rules
from .deciding import Modes, Past, decide
from .hits import Answer
from .loading import RuleFiles, has_rules, project_root
from .matching import Matcher, matcher_of, with_own
from .messages import messages
from .observing import Call, brakes, named, observe, overridden, writable
from .projection import GUARD
from .replaying import Replayed, replay
from .rulefile import OWN_FAMILY, Rule, RuleSet, rule_set
from .sessionfile import update_session
from .state import State
from .surroundings import for_elsewhere
from .terms import Decision, Label, Mode

STREAM, ALIVE_MINUTES, MOST_WAITING, MOST_BEGUN, TIDY_S = "guard", 10.0, 1000, 10_000, 1.0


class Guard:
    def __init__(
        self,
        ledger: Ledger,
        folder: Folder,
        flags: Callable[[], Flags],
        home: str,
        project: str,
        environment: Mapping[str, str],
    ) -> None:
        self.ledger, self.folder, self._flags, self.home, self.project = ledger, folder, flags, home, project
        self._clock, self._environment = ledger.clock, environment
        self._files = RuleFiles(project)
        self._matcher: Matcher | None = None
        self._began: dict[str, float] = {}
        self._news: dict[str, dict[str, list[Any]]] = {}
        self._noting, self._loading, self._tidied = threading.Lock(), threading.Lock(), self._clock.monotonic()
        self._saving, self._unsaved = threading.Lock(), ""
        self._enforced: bool | None = None
        self._absorb()

    # One check.

    def check(
        self, tool: str, arguments: Mapping[str, Any], *, session: str, event: str = "PreToolUse", client: str = "",
        cwd: str = "", environment: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Whether this call may go on; the decision is in the journal when this returns."""
        environment = self._environment if environment is None else environment
        matcher = self.matcher()
        call = Call(tool, arguments, cwd, self.project)
        seen = observe(
            call, matcher, event=event, session=session, client=client, began=self._beginning(session),
            home=self.home, environment=environment,
        )  # fmt: skip
        return self._decide(matcher, seen)

    def prompt(
        self, text: str, *, session: str, client: str = "", environment: Mapping[str, str] | None = None
    ) -> Answer:
        """Which skills fit a prompt; the log gets their names and the prompt's size, never the prompt."""
        environment = self._environment if environment is None else environment
        matcher = self.matcher()
        self._beginning(session)
        seen = e.Observation(
            event="UserPromptSubmit", session=named(session), client=writable(client),
            prompt=matcher.prompt(text[:100_000]),
            overrides=overridden(matcher, environment),
            input_bytes=len(text.encode("utf-8", "replace")), **brakes(environment),
        )  # fmt: skip
        return self._decide(matcher, seen)

    def finished(self, tool: str, arguments: Mapping[str, Any], *, session: str, cwd: str = "") -> None:
        """A tool ran: what it edited and which skill it brought in become part of the session."""
        call = Call(tool, arguments, cwd, self.project)
        skill = writable(call.text("skill", "name", "command")) if call.tool == "skill" else ""
        seen = observe(call, self.matcher(), event="PostToolUse", session=session, environment=self._environment)
        edited = tuple(
            dict.fromkeys(without_secrets(target.path) for target in seen.targets if not target.path.startswith(".."))
        )[:50]
        if edited or skill:
            self.ledger.record(
                e.ToolFinished(session=seen.session, tool=call.tool, edited=edited, skill=skill, at=self._clock.now())
            )
            self._note(seen.session, editedFiles=list(edited), appliedSkills=[skill] if skill else [])

    def _decide(self, matcher: Matcher, seen: e.Observation) -> Answer:
        now = self._clock.now()
        self._heed_switch(now)
        with self.folder.still():
            state, position = self.folder.state(GUARD), self.folder.position
            modes, past = self._modes(state), _past(state, seen.session)
            verdict = decide(matcher, modes, past, seen, now)
        if self._enforced is not (enforced := modes.anything_enforced()):
            self._enforced = enforced
            outside.tell_enforced(self.home, enforced)
        decision, hits = new_id(now), without_secrets_in(verdict.hits)
        self.ledger.record(
            e.Decided(
                decision=decision, rules=matcher.rules.version, position=position, told=modes.told,
                families=modes.families, seen=without_secrets_in(seen), hits=hits,
                live=verdict.live, would=verdict.would,
                skip=verdict.skip, at=now,
            )
        )  # fmt: skip
        self._note(
            seen.session,
            violations=[_violation(hit, now) for hit in hits if hit.would is Decision.BLOCK],
            payloadSamples=[{"event": seen.event, "tool": seen.tool, "bytes": seen.input_bytes, "at": now}],
        )
        said = messages(matcher, decision, verdict.hits)
        return Answer(
            decision, verdict.live, verdict.would, verdict.skip, verdict.hits, said, matcher.rules.version, state.alert
        )

    def _modes(self, state: State) -> Modes:
        flags = self._flags()
        # Shadow is what holds when nobody said anything, and then promotions count.
        said = flags.enforcement_mode != "shadow" or bool(self._environment.get("OPENCODE_ENFORCEMENT_MODE"))
        told = Mode(flags.enforcement_mode) if said else None
        return Modes(told, flags.enforce_families, dict(state.modes), state.off_until)

    def _heed_switch(self, now: float) -> None:
        """What a person threw is signed before the first decision that rests on it."""
        off = outside.switched_off(self.home, now)
        if off is not None and float(off["until"]) > self.folder.state(GUARD).off_until:
            self._absorb()

    def _beginning(self, session: str) -> float:
        if session not in self._began:
            if len(self._began) >= MOST_BEGUN:
                self._began.clear()  # the fold knows them by now
            known = self.folder.state(GUARD).sessions.get(session)
            self._began[session] = known.began if known else self._clock.now()
        return self._began[session]

    # The rules in force.

    def matcher(self) -> Matcher:
        """The rules as their files say, or the last good ones, with an alert, when the files cannot be used."""
        with self._loading:
            return self._in_force()

    def _in_force(self) -> Matcher:
        state = self.folder.state(GUARD)
        known = self._matcher.rules.rules if self._matcher is not None else state.versions.get(state.rules, ())
        loaded = self._files.look(known=any(rule.family != OWN_FAMILY for rule in known))
        if loaded is not None and loaded.rules is not None:
            # In the log first: a decision names a version that can be looked up.
            if state.rules != loaded.rules.version or state.alert:
                self._load(loaded.rules, loaded.source)
            self._matcher = matcher_of(loaded.rules)
        elif loaded is not None:
            self._refuse(loaded.source, loaded.digest, loaded.refused)
        return self._matcher or self._last_good(state)

    def _last_good(self, state: State) -> Matcher:
        held = state.versions.get(state.rules)
        found = with_own(rule_set([])) if held is None else RuleSet(state.rules, held)
        self._matcher = matcher_of(found)
        return self._matcher

    def _load(self, loaded: RuleSet, source: str) -> None:
        event = e.RulesLoaded(
            version=loaded.version, source=source, rules=loaded.rules, problems=loaded.problems, at=self._clock.now()
        )
        try:
            self._write(lambda state: [event] if state.rules != loaded.version or state.alert else [])
        except BaseException:
            self._files.forget()
            raise

    def _refuse(self, source: str, digest: str, reason: str) -> None:
        def decide(state: State) -> list[Event]:
            alert = f"{source}: {reason}"
            if state.alert == alert:
                return []
            return [e.RulesRefused(source=source, digest=digest, reason=reason, kept=state.rules, at=self._clock.now())]

        self._write(decide)

    # What people decide.

    def label(
        self, decision: str, label: Label, *, rule: str | None = None, actor: str = "", note: str = ""
    ) -> list[Event]:
        """Say what a hit was worth; one false positive too many takes its family out of enforcement at once."""
        self.ledger.flush()
        return self._write(
            lambda state: rules.label_hit(state, decision, rule, label, actor, note, self._clock.now())
        )  # fmt: skip

    def promote(self, family: str, *, scope: str = "", actor: str = "", target: float = rules.TARGET) -> e.ModeChanged:
        """Enforce a family where its labels carry that; else it is refused, and that is on record too."""
        self.ledger.flush()
        event = self._write(
            lambda state: rules.promote(state, family, scope, actor, self._clock.now(), target)
        )[0]  # fmt: skip
        if isinstance(event, e.PromotionDenied):
            raise rules.refusal(event)
        assert isinstance(event, e.ModeChanged)
        return event

    def set_mode(self, family: str, mode: Mode, *, scope: str = "", actor: str = "") -> None:
        """Put a family into a mode, in one scope or everywhere."""
        self.matcher()
        self._write(lambda state: rules.set_mode(state, family, scope, mode, actor, self._clock.now()))

    def set_stop(
        self, scope: str, mode: str, *, actor: str = "", max_commands: int | None = None,
        timeout_s: float | None = None, include_test: bool | None = None,
    ) -> None:  # fmt: skip
        """How stop checks are run in one scope; the whole project is the scope with the empty name."""
        event = rules.set_stop(
            scope, mode, actor, self._clock.now(), max_commands=max_commands, timeout_s=timeout_s,
            include_test=include_test,
        )  # fmt: skip
        self._write(lambda _: [event])

    def switch_on(self, actor: str) -> None:
        """End the time for which a person switched the guardrails off."""
        self._absorb()
        outside.switch_back(self.home)
        self._write(lambda _: [e.SwitchedOn(actor=actor, at=self._clock.now())])

    # Housekeeping.

    def tidy(self) -> None:
        """After an answer, not before it, and not after each one: what may wait a little."""
        if self._clock.monotonic() - self._tidied >= TIDY_S:
            self.absorb()

    def absorb(self) -> None:
        """Sign what happened outside: the switch that a person threw, the failures that hooks left behind."""
        self._tidied = self._clock.monotonic()
        self._absorb()
        self.save_sessions()

    def save_sessions(self) -> None:
        """Write the session files of what was decided since; copies, so where they cannot be no check fails."""
        with self._saving:
            with self._noting:
                waiting, self._news = self._news, {}
            if not self._own_project():
                return
            for session, news in waiting.items():
                try:
                    update_session(self.project, session, news, self._flags().hook_sample_limit)
                except OSError as fault:
                    self._tell_unsaved(session, f"{type(fault).__name__}: {os.strerror(fault.errno or 0)}")

    def _tell_unsaved(self, session: str, reason: str) -> None:
        """Once for each reason: what is wrong now will be wrong at the next call."""
        if reason != self._unsaved:
            self._unsaved = reason
            failed = e.HookFailed(
                session=session, event="session-file", tool="", reason=reason, went_on=True, at=self.now()
            )
            self.ledger.record(failed)

    def _own_project(self) -> bool:
        """A working folder that merely happens to be ours, without rules or a home of its own, is left alone."""
        inside = os.path.realpath(self.home).startswith(os.path.realpath(self.project) + os.sep)
        return inside or has_rules(self.project)

    def protected(self, session: str, minutes: float = ALIVE_MINUTES) -> bool:
        """Only a decision that is young enough says that the guardrails are alive in this session."""
        known = self.state().sessions.get(session)
        return known is not None and known.decisions > 0 and self._clock.now() - known.last <= minutes * 60.0

    def state(self) -> State:
        """What is folded, up to the newest commit."""
        self.folder.catch_up()
        return self.folder.state(GUARD)

    def modes(self) -> Modes:
        """What is enforced where, switches included."""
        self._heed_switch(self._clock.now())
        return self._modes(self.state())

    def enforces(self) -> bool:
        """Whether anything is enforced at this moment, and so whether no answer may be taken for a yes."""
        modes = self.modes()
        return modes.anything_enforced() and modes.off_until <= self._clock.now()

    def past(self, session: str) -> Past:
        """What is known of a session."""
        return _past(self.state(), session)

    def replay(self) -> Replayed:
        """Every decision again, from the log alone."""
        self.ledger.flush()
        return replay(self.ledger)

    def settings(self) -> Flags:
        """The flags as they are now."""
        return self._flags()

    def said(self, name: str) -> str:
        """What this process's own environment says; empty when it says nothing."""
        return self._environment.get(name, "").strip()

    def now(self) -> float:
        """The time of the plane's clock."""
        return self._clock.now()

    def surroundings(self, told: Mapping[str, str] | None) -> Mapping[str, str]:
        """Our own environment; for a caller elsewhere with its brakes and overrides, and our values unknown."""
        if told is None:
            return self._environment
        names = {rule.env_override for rule in self.last_rules()} - {""}
        return for_elsewhere(self._environment, told, names)

    def last_rules(self) -> tuple[Rule, ...]:
        """The rules as they were when they were last looked at."""
        return self._matcher.rules.rules if self._matcher is not None else ()

    def relative(self, path: str, cwd: str = "") -> str:
        """A path as the project's rules see it."""
        return os.path.relpath(os.path.join(self.project, cwd, path), self.project)

    def write(self, decide: Callable[[State], list[Event]]) -> list[Event]:
        """Events that follow from the state as it is, written before anybody else changes it."""
        return self._write(decide)

    def _absorb(self) -> None:
        off = outside.switched_off(self.home, self._clock.now())
        if off is not None:
            event = e.SwitchedOff(
                began=float(off["began"]), until=float(off["until"]), actor=str(off["actor"]), at=self._clock.now()
            )
            self._write(lambda state: [event] if state.off_until < event.until else [])
        for told in outside.taken_failures(self.home):
            texts = {name: str(told.get(name, ""))[:500] for name in ("session", "event", "tool", "reason")}
            self.ledger.record(e.HookFailed(went_on=told.get("went_on") is not False, at=self._clock.now(), **texts))

    def _note(self, session: str, **news: list[Any]) -> None:
        if len(self._news) >= MOST_WAITING:
            self.save_sessions()
        with self._noting:
            held = self._news.setdefault(session, {})
            for name, listed in news.items():
                held[name] = [*held.get(name, []), *listed][-200:]

    def _write(self, decide: Callable[[State], list[Event]]) -> list[Event]:
        def seen() -> deciding_loop.Decision[list[Event]]:
            version = self.ledger.version(STREAM)
            with self.folder.still():
                events = decide(self.folder.state(GUARD))
            return deciding_loop.Decision(version, events, events)

        return deciding_loop.write(self.ledger, self.folder, STREAM, seen)


def project_of(home: str) -> str:
    """The project that a home belongs to: the one around `.opencode/control-plane`, else that of the working folder."""
    place = Path(home).resolve()
    inside = place.name == "control-plane" and place.parent.name == ".opencode"
    named = None if inside else os.environ.get("CLAUDE_PROJECT_DIR")
    return named or project_root(str(place.parent.parent) if inside else os.getcwd())


def outside_of(project: str, cwd: str) -> str:
    """Why a call from there is not covered; empty when it is."""
    if not cwd:
        return ""
    try:
        place = os.path.relpath(os.path.realpath(cwd), os.path.realpath(project))
    except (OSError, ValueError):
        return f"{cwd!r} is no folder that can be looked at"
    inside = place != ".." and not place.startswith("../")
    return "" if inside else f"{cwd} is outside {project}, which these guardrails cover"


def _past(state: State, session: str) -> Past:
    known = state.sessions.get(session)
    return known.past() if known else Past()


def _violation(hit: e.Hit, now: float) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(hit)
    return {name: told.get(name, "") for name in ("rule", "path", "would", "live")} | {"at": now}
