"""What is believed of each candidate for one kind of task, in dollars, kept up to date as results come in."""

from collections.abc import Sequence
from copy import copy
from math import frexp, sqrt
from typing import NamedTuple

import msgspec

from .cascade import Step, StepBelief, compose
from .lost import Lost
from .posterior import ArmBook, Beliefs, Tally, pooled

Source = tuple[Tally, Tally, Tally]

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
    optimism: float = 0.55  # how far above its estimate an arm is judged; see `Board._spread`
    levels: int = 4  # of optimism, equally likely; their difference makes the choice random
    least_level: float = 0.85  # the smallest level as a share of the mean one
    horizon: float = 20.0  # tasks ahead that a discovery pays for, in a new task type ...
    horizon_growth: float = 0.5  # ... and how much it grows with each result there ...
    horizon_most: float = 1000.0  # ... up to so many
    news: float = 0.4  # how far one compiled table may add to an arm's runs, as a share of them
    prior_runs: float = 18.0  # runs that an arm's prior is worth
    hope: float = 0.08  # how far an arm's prior is raised towards certain success: who hardly ran gets a chance
    price_runs: float = 1.0  # runs that a price is worth, stated or guessed
    price_guess: float = 0.08  # an unknown price, as a share of what a success is worth
    cost_leap: float | None = 16.0  # one run counts as at most so many times the cost expected; None: as it is
    price_doubt: float = 0.5  # standard deviation of one run's cost, as a share of the mean cost
    borrow_type_runs: float = 16.0  # runs that other task types can be worth
    borrow_repo_runs: float = 64.0  # runs that other repos of the same task type can be worth
    borrow_steps_runs: float = 150.0  # runs that a cascade's steps can be worth to it


class Candidate(msgspec.Struct, frozen=True):
    """What the choice must know of an arm: expectations for one task; for a cost that is not known stands a guess."""

    name: str
    prior: float = 0.5
    cost_usd: float | None = None
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


class Prior(NamedTuple):
    """What an arm's row begins with, as sums, and its row while it has no results at all."""

    wins: float
    cost: float
    timed: float
    time: float
    row: Belief

    @classmethod
    def of(cls, arm: Candidate, policy: ChoicePolicy) -> "Prior":
        success = arm.prior + policy.hope * (1.0 - arm.prior)
        cost = policy.price_guess * policy.success_value_usd if arm.cost_usd is None else arm.cost_usd
        timed = policy.price_runs if arm.time_s > 0.0 else 0.0
        row = Belief(success, policy.prior_runs, cost, policy.price_runs, arm.time_s)
        return cls(policy.prior_runs * success, policy.price_runs * cost, timed, timed * arm.time_s, row)


class Board:
    """One row for each candidate; `refresh` renews the rows whose results changed.

    Keeping a board changes speed only: a fresh one shows the same rows. Shown other `Beliefs`,
    it keeps the rows whose sums these share.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        policy: ChoicePolicy,
        task_type: str | None = None,
        repo: str | None = None,
    ) -> None:
        """Without a type: what is believed of a type that nobody saw."""
        self.policy = policy
        self._value, self._time_value = policy.success_value_usd, policy.time_value_usd_per_s
        self.names = tuple([candidate.name for candidate in candidates])
        known = set(self.names)
        # A cascade may use arms that are no candidates themselves: they get rows behind the others.
        hidden = {step.arm: None for candidate in candidates for step in candidate.steps if step.arm not in known}
        self._all = (*candidates, *[Candidate(name) for name in hidden])
        self._cascades = [i for i, candidate in enumerate(self._all) if candidate.steps]
        self._row_of = {candidate.name: i for i, candidate in enumerate(self._all)}
        self._priors = [Prior.of(candidate, policy) for candidate in self._all]
        self._begin(task_type, repo, None, elsewhere=False)

    def narrower(self, task_type: str, repo: str | None = None, *, elsewhere: bool = False) -> "Board":
        """The same candidates for one type, for one repo of it, or `elsewhere`: for a repo of it that nobody saw.

        Who has no results there has the row that it has here.
        """
        board = copy(self)
        board._begin(task_type, repo, self, elsewhere=elsewhere)
        return board

    def _begin(self, task_type: str | None, repo: str | None, wider: "Board | None", *, elsewhere: bool) -> None:
        count = len(self._all)
        self._of: Beliefs | None = None
        self._type, self._repo, self._wider, self._elsewhere = task_type, repo, wider, elsewhere
        self._sources: list[Source] = [_NOWHERE] * count
        self._missing = list(range(count))
        # Rows that are worked out here, and not on the wider board.
        self._own = [i for i in self._missing if not self._all[i].steps] if wider is None else list[int]()
        self._stamps = [-1] * count
        self._horizon = -1.0
        self.seen = -1  # results of the task type, in steps
        self.beliefs: list[Belief] = [_UNKNOWN] * count
        self.utilities = [0.0] * count
        self.spreads = [0.0] * count
        self.lost: dict[int, Lost] = {}

    def refresh(self, beliefs: Beliefs) -> None:
        if beliefs is not self._of:
            if self._of is not None:
                self._turn_to(beliefs)
            self._of = beliefs
        self.seen = 0 if self._type is None else _in_steps(beliefs.seen.get(self._type, 0))
        policy = self.policy
        horizon = min(policy.horizon_most, policy.horizon + policy.horizon_growth * self.seen)
        moved, self._horizon = horizon != self._horizon, horizon
        if self._missing:
            self._search(beliefs)
        if self._own:
            before = self._stamps
            stamps = self._stamps = [own.version + kind.edition + total.edition for own, kind, total in self._sources]
            changed = [i for i in self._own if stamps[i] != before[i]] if stamps != before else []
            self._renew(changed)
            self._respread(self._own if moved else changed)
        for i in self._cascades:
            self._set(i, self._cascade_belief(beliefs, i))
        self._respread(self._cascades)

    def guessed(self, name: str) -> bool:
        """Whether nobody stated what an arm costs, and no run has shown it."""
        i = self._row_of[name]
        arm = self._all[i]
        if arm.steps:
            return any(self.guessed(step.arm) for step in arm.steps)
        return arm.cost_usd is None and self.beliefs[i].paid <= self.policy.price_runs

    def _turn_to(self, beliefs: Beliefs) -> None:
        """Look for all sums again; where they are the same objects, their versions say whether the row still holds."""
        self._own, self._missing = [], []
        for i, arm in enumerate(self._all):
            source, whole = self._find(beliefs.arms.get(arm.name))
            here = whole or self._wider is None
            if not whole:
                self._missing.append(i)
            if here and not arm.steps:
                self._own.append(i)
            if not here and not arm.steps:
                source = _NOWHERE
            if any(new is not old for new, old in zip(source, self._sources[i], strict=True)):
                self._sources[i], self._stamps[i] = source, -1
                self.lost.pop(i, None)

    def _search(self, beliefs: Beliefs) -> None:
        """Look for the sums of those that had none; who still has none is as the wider board says."""
        books, wider, task_type, still = beliefs.arms, self._wider, self._type, []
        for i in self._missing:
            arm = self._all[i]
            book = books.get(arm.name)
            if wider is not None and not arm.steps and (book is None or task_type not in book.types):
                still.append(i)
                continue
            source, whole = self._find(book)
            if not whole:
                still.append(i)
            elif wider is not None and not arm.steps:
                self._own.append(i)
            if whole or wider is None or arm.steps:
                self._sources[i] = source
        self._missing = still
        if wider is not None and still:
            wider.refresh(beliefs)
            self._borrow(wider)

    def _find(self, book: ArmBook | None) -> tuple[Source, bool]:
        """An arm's sums for this key, its task type (if the key is narrower) and everything, and whether all exist."""
        if book is None:
            return _NOWHERE, False
        if self._type is None:
            return (_NOTHING, _NOTHING, book.total), True
        kind = book.types.get(self._type)
        if kind is None:
            return (_NOTHING, _NOTHING, book.total), False
        if self._repo is None and not self._elsewhere:
            return (kind.tally, _NOTHING, book.total), True
        own = None if self._repo is None else kind.repos.get(self._repo)
        return (own or _NOTHING, kind.tally, book.total), own is not None or self._elsewhere

    def _borrow(self, wider: "Board") -> None:
        missing, alike = self._missing, wider._horizon == self._horizon
        if alike and len(missing) == len(self._all):
            self.beliefs, self.utilities, self.spreads = (
                wider.beliefs.copy(), wider.utilities.copy(), wider.spreads.copy(),
            )  # fmt: skip
            return
        for i in missing:
            self.beliefs[i], self.utilities[i], self.spreads[i] = wider.beliefs[i], wider.utilities[i], wider.spreads[i]
        if not alike:
            self._respread(missing)

    def _renew(self, rows: Sequence[int]) -> None:
        """Rows of arms that are no cascades, from their sums."""
        policy, sources, beliefs, utilities, priors = (
            self.policy, self._sources, self.beliefs, self.utilities, self._priors,
        )  # fmt: skip
        assumed, priced, by_type, by_repo = (
            policy.prior_runs, policy.price_runs, policy.borrow_type_runs, policy.borrow_repo_runs,
        )  # fmt: skip
        value, time_value, lost = self._value, self._time_value, self.lost
        for i in rows:
            own, kind, total = sources[i]
            prior = priors[i]
            if total is _NOTHING:
                row = prior.row
                utilities[i] = value * row.success - row.cost - time_value * row.time
            else:
                runs, wins, paid, cost, timed, time = (
                    pooled(own, total.published, by_type)
                    if kind is _NOTHING
                    else pooled(own, kind.published, by_repo, total.published, by_type)
                )
                runs += assumed
                paid += priced
                timed += prior.timed
                success = (wins + prior.wins) / runs
                cost = (cost + prior.cost) / paid
                time = (time + prior.time) / timed if timed else 0.0
                row = Belief(success, runs, cost, paid, time)
                utilities[i] = value * success - cost - time_value * time
            beliefs[i] = row
            if own.lost is not None:
                lost[i] = own.lost
            elif lost:
                lost.pop(i, None)

    def _respread(self, rows: Sequence[int]) -> None:
        """What not knowing better is worth: the standard error of the utility, times what the horizon makes of a look.

        optimism * sqrt(variance * log2(1 + horizon / runs)): the shape of the Gittins index of a Bernoulli arm.
        """
        value, optimism, price_doubt, horizon = (
            self._value,
            self.policy.optimism,
            self.policy.price_doubt,
            self._horizon,
        )
        beliefs, spreads = self.beliefs, self.spreads
        for i in rows:
            row = beliefs[i]
            likely, runs, doubt = row.success, row.runs, price_doubt * row.cost
            likely = 0.01 if likely < 0.01 else 0.99 if likely > 0.99 else likely
            spread = value * value * likely * (1.0 - likely) / runs + doubt * doubt / (row.paid + 0.5)
            mantissa, exponent = frexp(1.0 + horizon / runs)
            # log2, linear between powers of two: exact on every machine.
            spreads[i] = optimism * sqrt(spread * (mantissa + mantissa + exponent - 2.0))

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
        own, kind, total = self._sources[i]
        runs, wins, paid, cost, timed, time = (
            pooled(own, total.published, policy.borrow_type_runs)
            if kind is _NOTHING
            else pooled(own, kind.published, policy.borrow_repo_runs, total.published, policy.borrow_type_runs)
        )
        borrowed = model.runs * policy.borrow_steps_runs / (model.runs + policy.borrow_steps_runs)
        assumed, priced = policy.prior_runs + borrowed, policy.price_runs + borrowed
        return Belief(
            (wins + assumed * model.success) / (runs + assumed),
            runs + assumed,
            (cost + priced * model.cost) / (paid + priced),
            paid + priced,
            (time + priced * model.time) / (timed + priced),
        )

    def _set(self, i: int, row: Belief) -> None:
        self.beliefs[i] = row
        self.utilities[i] = self._value * row.success - row.cost - self._time_value * row.time


def _in_steps(seen: int) -> int:
    """Rounded down by at most an eighth, so that not every result moves every row."""
    drop = max(0, seen.bit_length() - 4)
    return seen >> drop << drop
