"""The way in: asks the router, keeps within caution and limits, and records what OpenCode did beside it."""

from collections.abc import Callable, Mapping
from typing import Any

from ..ledger.ledger import Ledger
from ..projections.folding import Folder
from ..redacting import redacted, without_secrets, without_secrets_in
from . import rules
from .events import (
    AutoSwitched,
    HistoryImported,
    LimitReached,
    Limits,
    LimitsSet,
    PastStep,
    SampleKept,
    SamplesSwitched,
    StepTaken,
    TurnBegun,
    TurnEnded,
    TurnJudged,
    TurnMoved,
    TurnUnadvised,
    Usage,
)
from .projection import TURNS
from .rules import Price
from .state import GOOD, REVERTED, Session, Spent, Turn, Turns, day_of
from .terms import Answer, Asked, Counsel, Deciding, Ended, Failed, Moved, Room, Share, Step

ROUGH_OUT = 1500
_NAMES_OF_ASKED = ("turn", "session", "asked", "picked", "task_type", "parent", "agent", "directory", "unadvised")
LOT = 500


class TurnBook:
    def __init__(
        self,
        ledger: Ledger,
        folder: Folder,
        plane: Deciding,
        task: Callable[..., Any],
        arms: Mapping[str, tuple[str, float, float]],
        *,
        cautious: bool,
    ) -> None:
        """`arms` leads from a model to its arm and that arm's prices in and out, in dollars a million tokens."""
        self._ledger, self._folder, self._plane, self._task, self._arms = ledger, folder, plane, task, arms
        self.cautious = cautious

    @property
    def state(self) -> Turns:
        """Turns, sessions, limits and tallies, folded."""
        return self._folder.state(TURNS)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that the catalogue knows, each as an arm of its own."""
        return tuple(self._arms)

    # A turn.

    def begin(self, asked: Asked) -> Answer:
        """Advise, and say what the turn is to be done with: the advice under auto, else what was asked for."""
        asked = without_secrets_in(asked, _NAMES_OF_ASKED)
        if asked.unadvised:
            return self._unadvised(asked)
        with self._folder.still():
            state = self.state
            session = state.sessions.get(asked.session, Session())
            connected = tuple([name for name in asked.connected if name in self._arms])
            incumbent = state.incumbent or asked.asked
            open_to = rules.candidates(
                state, session, asked.task_type, connected, incumbent, cautious=self.cautious
            )  # fmt: skip
            held, context, auto, failed = session.held, session.context, state.auto, session.failed
        auto = auto and asked.picked == "auto"
        if not open_to:
            return self._begun(asked, asked.asked, None, auto, "no connected model is in the catalogue", open_to)
        if held == failed:
            held = None
        advice = self._advise(asked, open_to, context)
        gain = cost = None
        if auto and held is not None and held in open_to and self._model(advice) != held:
            stay = self._advise(asked, (held,), context)
            gain = advice.score - stay.score
            cost = rules.toll(context, self._price(self._model(advice)), self._price(held))
            advice, left = (advice, stay) if gain > cost else (stay, advice)
            self._plane.record_result(left.decision_id, error="cancelled")
        reason = advice.reasons[0] if advice.reasons else "the highest score"
        if auto and failed is not None and self._model(advice) != failed:
            reason = f"{failed} failed in this session; {reason}"
        return self._begun(asked, self._model(advice), advice, auto, reason, open_to, held, gain, cost)

    def _begun(
        self,
        asked: Asked,
        advised: str,
        advice: Counsel | None,
        auto: bool,
        reason: str,
        open_to: tuple[str, ...],
        held: str | None = None,
        gain: float | None = None,
        cost: float | None = None,
    ) -> Answer:
        used = advised if auto else asked.asked
        decision = advice.decision_id if advice is not None else None
        followed = decision if used == advised else None
        if decision is not None and followed is None:
            # Nobody follows it: the router must not wait for its result.
            self._plane.record_result(decision, error="cancelled")
        state = self.state
        before = state.sessions.get(asked.session, Session())
        estimate = self._estimate(used, before.context or asked.prompt_bytes / 4)
        self._ledger.record(
            TurnBegun(
                at=self._now(), turn=asked.turn, session=asked.session, task_type=asked.task_type,
                picked="auto" if auto else asked.picked if asked.picked != "auto" else "default",
                used=used, advised=advised, decision=followed,
                advised_decision=decision, reason=reason, parent=asked.parent, agent=asked.agent,
                directory=asked.directory, prompt_sha256=asked.prompt_sha256, prompt_bytes=asked.prompt_bytes,
                context_tokens=int(before.context), candidates=open_to, held=held, gain_usd=gain, toll_usd=cost,
                cautious=self.cautious, estimate_usd=estimate,
            )
        )  # fmt: skip
        if asked.sample and state.samples:
            self._keep_sample(asked.turn, asked.session, asked.sample)
        # The first model of a session is a change from what OpenCode would have used.
        changed = auto and used != (held or before.held or asked.asked)
        return Answer(
            asked.turn, used, advised, auto, decision, changed, reason, estimate, self.room(asked.session)
        )  # fmt: skip

    def _unadvised(self, asked: Asked) -> Answer:
        """It has gone on already; it is known where only the answer came too late."""
        auto, known = self.state.auto and asked.picked == "auto", self._turn(asked.turn) is not None
        if not known:
            self._begun(asked, asked.asked, None, auto, asked.unadvised, ())
        self._ledger.record(
            TurnUnadvised(at=self._now(), turn=asked.turn, session=asked.session, reason=asked.unadvised)
        )
        room = self.room(asked.session)
        return Answer(asked.turn, asked.asked, asked.asked, auto, None, False, asked.unadvised, None, room)

    def _keep_sample(self, turn: str, session: str, sample: str) -> None:
        self._ledger.record(SampleKept(at=self._now(), turn=turn, session=session, text=redacted(sample)))

    def steps(self, steps: list[Step]) -> Room:
        """What models answered, for the record and for the limits."""
        for step in map(without_secrets_in, steps):
            self._ledger.record(
                StepTaken(
                    at=self._now(), turn=step.turn, session=step.session, message=step.message, model=step.model,
                    usage=step.usage, finish=step.finish, error=step.error,
                )
            )  # fmt: skip
        return self.room(without_secrets(steps[-1].session) if steps else "")

    def end(self, ended: Ended) -> None:
        """The turn is over: its cost and time are learned from, its success is not known by that."""
        ended = without_secrets_in(ended)
        turn = self._turn(ended.turn)
        if turn is not None and turn.ended:
            return
        self._ledger.record(
            TurnEnded(
                at=self._now(), turn=ended.turn, session=ended.session, model=ended.model, usage=ended.usage,
                steps=ended.steps, error=ended.error, effects=ended.effects,
            )
        )  # fmt: skip
        if turn is None:
            return
        decision = turn.decision
        if decision is not None and ended.model != turn.used:
            # The advice came too late to be followed.
            self._plane.record_result(decision, error="cancelled")
            decision = None
        self._learn(turn, decision, ended.model, ended.usage, ended.error, None, ended.retry_after_s)

    def fail(self, failed: Failed) -> Moved:
        """A model failed in a turn under auto: where it goes on, or why it stays."""
        failed = without_secrets_in(failed)
        turn = self._turn(failed.turn)
        if turn is None:
            raise rules.UnknownTurn(f"{failed.turn!r:.60} is no turn of this ledger")
        why = "" if turn.picked == "auto" else f"{failed.failed} was picked by {turn.picked}, and stays"
        why = why or rules.may_move(turn.moves, failed.error, effects=failed.effects)
        others = tuple([name for name in failed.connected if name in self._arms and name != failed.failed])
        if not why and not others:
            why = "no other connected model is in the catalogue"
        if turn.decision is not None and not why:
            self._learn(turn, turn.decision, failed.failed, failed.usage, failed.error, None)
        advice = None
        if not why:
            asked = Asked(failed.turn, failed.session, failed.failed, task_type=turn.task_type, directory=turn.repo)
            advice = self._advise(asked, others, 0, attempt=turn.moves + 2)
        to = None if advice is None else self._model(advice)
        attempt = turn.moves + (to is not None)
        self._ledger.record(
            TurnMoved(
                at=self._now(), turn=failed.turn, session=failed.session, failed=failed.failed, error=failed.error,
                to=to, decision=None if advice is None else advice.decision_id, attempt=attempt,
                effects=failed.effects, reason=why or failed.error,
            )
        )  # fmt: skip
        self._settle()
        return Moved(to, why or f"{failed.failed}: {failed.error}", attempt)

    def judge(self, verdict: str, source: str, *, turn: str | None = None, session: str | None = None) -> str:
        """Somebody, or something that knows, says what came of a turn; answers which turn that was."""
        rules.check_verdict(verdict, source)
        self._settle()
        turn = without_secrets_in(turn)
        with self._folder.still():
            row = self.state.sessions.get(without_secrets(session or ""))
            name = turn or (row.turn if row is not None else "")
        found = self._turn(name)
        if found is None:
            raise rules.UnknownTurn(f"there is no turn {name or 'in that session'} to judge")
        if found.verdict == verdict:
            return name
        if found.verdict is not None and verdict == REVERTED:
            return name  # somebody said more than a revert does
        self._ledger.record(
            TurnJudged(at=self._now(), turn=name, session=found.session, verdict=verdict, source=source)
        )  # fmt: skip
        if verdict != REVERTED:
            self._learn(found, found.decision, found.used, found.usage, found.error, verdict == GOOD)
        self._settle()
        return name

    # Limits and switches.

    def room(self, session: str) -> Room:
        """How much may still be spent, and a warning when little is left."""
        with self._folder.still():
            state = self.state
            row, day = state.sessions.get(session, Session()), self._day()
            limits = state.limits
            near = rules.near(limits, row, day)
        warn = "" if near is None else f"{near[0]}: {near[1]:g} of {near[2]:g} spent"
        if near is not None and row.warned != near[0] and row.warned != "stopped" and session:
            self._ledger.record(
                LimitReached(at=self._now(), session=session, limit=near[0], spent=near[1], most=near[2])
            )  # fmt: skip
        return Room(limits, row.spent_usd, row.requests, day.usd, day.requests, warn)

    def stopped(self, session: str, limit: str, spent: float, most: float) -> None:
        """The plugin did not let a step start."""
        session, limit = without_secrets(session), without_secrets(limit)
        fact = LimitReached(at=self._now(), session=session, limit=limit, spent=spent, most=most, stopped=True)
        self._ledger.record(fact)

    def switch(self, *, on: bool, actor: str, incumbent: str | None = None) -> None:
        """Let auto decide, or only watch; the incumbent is what auto must not fall behind."""
        known = incumbent or (self.usual() if on else None)
        self._ledger.append("turns", [AutoSwitched(at=self._now(), on=on, actor=actor, incumbent=known)])

    def sample(self, *, on: bool, actor: str) -> None:
        """Keep the redacted beginnings of prompts from now on, or no more."""
        self._ledger.append("turns", [SamplesSwitched(at=self._now(), on=on, actor=actor)])

    def limit(self, limits: Limits, actor: str) -> None:
        """Set what may be spent."""
        self._ledger.append("turns", [LimitsSet(at=self._now(), limits=limits, actor=actor)])

    def usual(self) -> str | None:
        """The model that most turns were done with where auto had no say."""
        counts = dict[str, int]()
        with self._folder.still():
            for rows in self.state.tallies.values():
                for model, row in rows.items():
                    counts[model] = counts.get(model, 0) + row.turns - row.auto
        best = max(counts, key=lambda name: counts[name], default=None)
        return best if best is not None and counts[best] > 0 else None

    def known(self) -> Share:
        """How many turns have ended, and of how many it is known what came of them."""
        return Share(self.state.ended, self.state.known)

    # History.

    def remember(self, source: str, steps: list[PastStep]) -> int:
        """Answers from before, in lots; what was read before is not taken again."""
        until = self.state.imported_until.get(source, "")
        new = sorted((step for step in steps if step.message > until), key=lambda step: step.message)
        for at in range(0, len(new), LOT):
            lot = tuple(new[at : at + LOT])
            self._ledger.append("turns", [HistoryImported(at=self._now(), source=source, steps=lot)])
        return len(new)

    # Inside.

    def _advise(self, asked: Asked, candidates: tuple[str, ...], context: float, attempt: int = 1) -> Counsel:
        told: Counsel = self._plane.advise(
            self._task(
                type=asked.task_type,
                repo=asked.directory[-200:] or None,
                session=asked.session,
                candidates=tuple([self._arms[name][0] for name in candidates]),
                tokens_in=int(context) or None,
                attempt=attempt,
            )
        )
        return told

    def _model(self, advice: Counsel) -> str:
        return advice.model

    def _learn(
        self, turn: Turn, decision: str | None, model: str, usage: Usage, error: str | None, success: bool | None,
        retry_after_s: float | None = None,
    ) -> None:  # fmt: skip
        """What the router learns: cost and time always, success only where it is known."""
        if model not in self._arms:
            return
        priced = usage.cost_usd > 0 or not usage.quota
        told: dict[str, Any] = {
            "success": success, "error": error, "latency_ms": usage.latency_ms or None, "ttft_ms": usage.ttft_ms,
            "cost_usd": usage.cost_usd if priced else None, "tokens_in": int(usage.tokens_in) or None,
            "tokens_out": int(usage.tokens_out) or None,
        }  # fmt: skip
        if decision is not None:
            self._plane.record_result(decision, retry_after_s=retry_after_s, **told)
            return
        task = self._task(type=turn.task_type, repo=turn.repo[-200:] or None, session=turn.session)
        if success is not None:
            # Its cost and time were told when it ended, without a decision that a correction could name.
            told = {"success": success}
        self._plane.record_result(arm=self._arms[model][0], task=task, **told)

    def _turn(self, name: str) -> Turn | None:
        """The turn; one that has only just begun is waited for."""
        found = self.state.turns.get(name)
        if found is None:
            self._settle()
            found = self.state.turns.get(name)
        return found

    def _settle(self) -> None:
        self._plane.flush()
        self._folder.catch_up()

    def _day(self) -> Spent:
        return self.state.days.get(day_of(self._now()), Spent())

    def _price(self, model: str) -> Price:
        _, price_in, price_out = self._arms.get(model, ("", 0.0, 0.0))
        return Price(price_in / 1e6, price_out / 1e6)

    def _estimate(self, model: str, context: float) -> float | None:
        price = self._price(model)
        return price.read * context + price.written * ROUGH_OUT if price.read or price.written else None

    def _now(self) -> float:
        return self._ledger.clock.now()
