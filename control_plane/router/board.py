"""What is believed of each candidate for one kind of task, in dollars, kept up to date as results come in."""

from collections.abc import Sequence
from math import frexp, sqrt

import msgspec

from .cascade import Step, StepBelief, compose
from .lost import Lost
from .posterior import ArmBook, Beliefs, Sums, Tally, pooled

_NOTHING = Tally()
_NOWHERE = (_NOTHING, _NOTHING, _NOTHING)


class ChoicePolicy(msgspec.Struct, frozen=True):
    success_value_usd: float = 2.0
    time_value_usd_per_s: float = 0.0
    margin_usd: float = 0.02
    switch_cost_usd: float = 0.0
    guard_errors: float = 1.0  # standard errors that a gain over the incumbent must survive
    incumbent_explore: float = 0.1  # how often an incumbent's guard steps aside, so that others can be learned
    floor: float = 0.0005  # shared by all arms: nothing starves, every choice has a propensity to divide by
    optimism: float = 0.53  # how far above its estimate an arm is judged; see `Board._spread`
    levels: int = 4  # of optimism, equally likely; their difference makes the choice random
    least_level: float = 0.85  # the smallest level as a share of the mean one
    horizon: float = 20.0  # tasks ahead that a discovery pays for, in a new task type ...
    horizon_growth: float = 0.5  # ... and how much it grows with each result there
    news: float = 0.4  # how far one compiled table may add to an arm's runs, as a share of them
    prior_runs: float = 18.0  # runs that an arm's prior is worth
    hope: float = 0.08  # how far an arm's prior is raised towards certain success: who hardly ran gets a chance
    price_runs: float = 1.0  # runs that a price is worth, stated or guessed
    price_guess: float = 0.08  # an unknown price, as a share of what a success is worth
    price_doubt: float = 0.5  # standard deviation of one run's cost, as a share of the mean cost
    borrow_type_runs: float = 16.0  # runs that other task types can be worth
    borrow_repo_runs: float = 64.0  # runs that other repos of the same task type can be worth
    borrow_steps_runs: float = 150.0  # runs that a cascade's steps can be worth to it


class Candidate(msgspec.Struct, frozen=True):
    """What the choice must know of an arm; `cost_usd` and `time_s` are expectations for one task, 0 if unknown."""

    name: str
    prior: float = 0.5
    cost_usd: float = 0.0
    time_s: float = 0.0
    steps: tuple[Step, ...] = ()


class Belief(msgspec.Struct, frozen=True):
    """What is expected of an arm for one task. `runs` says how firmly, `paid` how well its cost is known; both include
    what was assumed."""

    success: float
    runs: float
    cost: float
    paid: float
    time: float


def variance(row: Belief) -> float:
    """Of the mean success; a rate seen as nearly 0 or 1 is not trusted to be quite that."""
    likely = row.success
    likely = 0.01 if likely < 0.01 else 0.99 if likely > 0.99 else likely
    return likely * (1.0 - likely) / row.runs


_UNKNOWN = Belief(0.0, 1.0, 0.0, 0.0, 0.0)


class Board:
    """One row for each candidate; `refresh` renews the rows whose results changed.

    Keeping a board changes speed only: a fresh one shows the same rows. It belongs to one `Beliefs` object.
    """

    def __init__(
        self, candidates: Sequence[Candidate], policy: ChoicePolicy, task_type: str, repo: str | None = None
    ) -> None:
        self.policy = policy
        self._value, self._time_value = policy.success_value_usd, policy.time_value_usd_per_s
        self._optimism, self._doubt = policy.optimism, policy.price_doubt
        self._type, self._repo = task_type, repo
        self.names = tuple([candidate.name for candidate in candidates])
        known = set(self.names)
        # A cascade may use arms that are no candidates themselves: they get rows behind the others.
        hidden = {step.arm: None for candidate in candidates for step in candidate.steps if step.arm not in known}
        self._all = (*candidates, *[Candidate(name) for name in hidden])
        self._cascades = [i for i, candidate in enumerate(self._all) if candidate.steps]
        self._plain = [i for i, candidate in enumerate(self._all) if not candidate.steps]
        self._row_of = {candidate.name: i for i, candidate in enumerate(self._all)} if self._cascades else {}
        self._sources: list[tuple[Tally, Tally, Tally] | None] = [None] * len(self._all)
        self._stamps = [-1] * len(self._all)
        self.seen = -1  # results of the task type, in steps
        self.beliefs: list[Belief] = [_UNKNOWN] * len(self._all)
        self.utilities = [0.0] * len(self._all)
        self.spreads = [0.0] * len(self._all)
        self.lost: dict[int, Lost] = {}

    def refresh(self, beliefs: Beliefs) -> None:
        seen = _in_steps(beliefs.seen.get(self._type, 0))
        moved, self.seen = seen != self.seen, seen
        policy, rows, stamps, sources, books = self.policy, self.beliefs, self._stamps, self._sources, beliefs.arms
        horizon = policy.horizon + policy.horizon_growth * seen
        for i in self._plain:
            found = sources[i]
            if found is None:
                found = self._find(books, i)
            own, kind, total = found
            stamp = own.version + kind.edition + total.edition
            if stamp != stamps[i]:
                stamps[i] = stamp
                self._set(i, self._plain_belief(i, own, kind, total), horizon)
                if own.lost is not None:
                    self.lost[i] = own.lost
                elif self.lost:
                    self.lost.pop(i, None)
            elif moved:
                self.spreads[i] = self._spread(rows[i], horizon)
        for i in self._cascades:
            self._set(i, self._cascade_belief(beliefs, i), horizon)

    def _find(self, books: dict[str, ArmBook], i: int) -> tuple[Tally, Tally, Tally]:
        """The arm's sums for this key, its task type (if the key is narrower) and everything, kept once all exist."""
        book = books.get(self._all[i].name)
        if book is None:
            return _NOWHERE
        kind = book.types.get(self._type)
        if kind is None:
            return _NOTHING, _NOTHING, book.total
        if self._repo is None:
            found = (kind.tally, _NOTHING, book.total)
        elif self._repo in kind.repos:
            found = (kind.repos[self._repo], kind.tally, book.total)
        else:
            return _NOTHING, kind.tally, book.total
        self._sources[i] = found
        return found

    def _pooled(self, own: Tally, kind: Tally, total: Tally) -> Sums:
        if total is _NOTHING:
            return own
        everything = (total.published, self.policy.borrow_type_runs)
        if kind is _NOTHING:
            return pooled(own, (everything,))
        return pooled(own, ((kind.published, self.policy.borrow_repo_runs), everything))

    def _plain_belief(self, i: int, own: Tally, kind: Tally, total: Tally) -> Belief:
        arm, policy = self._all[i], self.policy
        prior = arm.prior + policy.hope * (1.0 - arm.prior)
        priced, cost = policy.price_runs, arm.cost_usd or policy.price_guess * self._value
        if total is _NOTHING:
            return Belief(prior, policy.prior_runs, cost, priced, arm.time_s)
        seen, clocked = self._pooled(own, kind, total), policy.price_runs if arm.time_s > 0.0 else 0.0
        runs, paid, timed = seen.runs + policy.prior_runs, seen.paid + priced, seen.timed + clocked
        return Belief(
            (seen.wins + policy.prior_runs * prior) / runs,
            runs,
            (seen.cost + priced * cost) / paid,
            paid,
            (seen.time + clocked * arm.time_s) / timed if timed else 0.0,
        )

    def _cascade_belief(self, beliefs: Beliefs, i: int) -> Belief:
        """The composed estimate plays the part of the prior; what the cascade itself did corrects it."""
        policy, arm = self.policy, self._all[i]
        rows = [self.beliefs[self._row_of[step.arm]] for step in arm.steps]
        late = [beliefs.carries.get(step.arm) if at else None for at, step in enumerate(arm.steps)]
        parts = [
            StepBelief(
                row.success, row.cost, row.time, row.runs - policy.prior_runs + (carry.expected if carry else 0.0)
            )
            for row, carry in zip(rows, late, strict=True)
        ]
        verifiers = [beliefs.verifier(step.verifier) if step.verifier is not None else None for step in arm.steps]
        model = compose(parts, verifiers, [beliefs.kept(step.arm) for step in arm.steps])
        seen = self._pooled(*(self._sources[i] or self._find(beliefs.arms, i)))
        borrowed = model.runs * policy.borrow_steps_runs / (model.runs + policy.borrow_steps_runs)
        assumed, priced = policy.prior_runs + borrowed, policy.price_runs + borrowed
        runs, paid, timed = seen.runs + assumed, seen.paid + priced, seen.timed + priced
        return Belief(
            (seen.wins + assumed * model.success) / runs,
            runs,
            (seen.cost + priced * model.cost) / paid,
            paid,
            (seen.time + priced * model.time) / timed,
        )

    def _set(self, i: int, row: Belief, horizon: float) -> None:
        self.beliefs[i] = row
        self.utilities[i] = self._value * row.success - row.cost - self._time_value * row.time
        self.spreads[i] = self._spread(row, horizon)

    def _spread(self, row: Belief, horizon: float) -> float:
        """What not knowing better is worth: the standard error of the utility, times what the horizon makes of a look.

        optimism * sqrt(variance * log2(1 + horizon / runs)): the shape of the Gittins index of a Bernoulli arm.
        """
        likely, runs, doubt = row.success, row.runs, self._doubt * row.cost
        likely = 0.01 if likely < 0.01 else 0.99 if likely > 0.99 else likely
        spread = self._value * self._value * likely * (1.0 - likely) / runs + doubt * doubt / (row.paid + 0.5)
        mantissa, exponent = frexp(1.0 + horizon / runs)
        # log2, linear between powers of two: exact on every machine.
        return self._optimism * sqrt(spread * (mantissa + mantissa + exponent - 2.0))


def _in_steps(seen: int) -> int:
    """Rounded down by at most an eighth, so that not every result moves every row."""
    drop = max(0, seen.bit_length() - 4)
    return seen >> drop << drop
