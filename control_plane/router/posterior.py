"""What has been seen of each arm, and what that is worth elsewhere.

An arm's results are summed three times: for the task type in one repo, for the task type, and over everything. A narrow
sum borrows from the wider ones, but never more than a fixed number of runs, so that it can outgrow them.
"""

import msgspec

from .lost import REMEMBERED, Lost

# Runs, wins, paid, cost, timed, time: as in `Sums`.
Pooled = tuple[float, float, float, float, float, float]

MEMORY = 2048.0  # runs; a sum that reaches it is halved, so that old runs fade
PRICE_MEMORY = 512.0  # costs and times vary less than outcomes and change more often
CARRY_RUNS = 20.0  # expected wins that the share of all arms is worth to one arm
MOST_KEPT = 1.5
BLOCK = 32  # results between two looks for a change in quality
SURPRISE = 12.25  # squared standard errors between a block and all that went before it: 3.5²


class Sums(msgspec.Struct, gc=False):
    """Sums over results; `runs` are those whose outcome is known, `paid` and `timed` those with a cost or a time."""

    runs: float = 0.0
    wins: float = 0.0
    paid: float = 0.0
    cost: float = 0.0
    timed: float = 0.0
    time: float = 0.0


class Tally(Sums, gc=False):
    """Sums that fade, that notice when quality changes, and that publish themselves to narrower tallies."""

    version: int = 0
    due: int = 1
    marked_runs: float = 0.0
    marked_wins: float = 0.0
    marked_at: int = 0
    drifts: int = 0
    edition: int = 0
    published: Sums = msgspec.field(default_factory=Sums)
    lost: Lost | None = None

    def add(
        self, success: float | None, cost: float | None, time: float | None, weight: float = 1.0, seen: int = 0
    ) -> None:
        """`seen` counts the results of the task type, whichever arm they were of."""
        if success is not None:
            self.runs += weight
            self.wins += weight * success
            if self.lost is not None and weight > 0.0:
                self._hope(self.lost.heard(success))
        if cost is not None:
            self.paid += weight
            self.cost += weight * cost
        if time is not None:
            self.timed += weight
            self.time += weight * time
        self.version += 1
        if self.version >= self.due:
            self._settle(seen)

    def _hope(self, lost: Lost) -> None:
        """One more result of an arm that had fallen; once it is well again, it is what it was before."""
        self.lost = lost
        if lost.well:
            self.runs = min(lost.runs, REMEMBERED)
            self.wins = self.runs * lost.before
            self.lost = None
            self.due = self.version + 1
            self.marked_at, self.marked_runs, self.marked_wins = self.version, self.runs, self.wins

    def _settle(self, seen: int) -> None:
        """The rare part of `add`: at most every 32 results, oftener only while there are few."""
        if self.version - self.marked_at >= BLOCK:
            self._forget(seen)
            self.marked_at = self.version
            self.marked_runs, self.marked_wins = self.runs, self.wins
        self.due = self.version + min(BLOCK, 1 + self.version // 8)
        self.published = Sums(self.runs, self.wins, self.paid, self.cost, self.timed, self.time)
        self.edition += 1

    def _forget(self, seen: int) -> None:
        block, before = self.runs - self.marked_runs, self.marked_runs
        if block >= BLOCK / 2 and before >= BLOCK and self._surprising(block, before):
            was, now = self.marked_wins / before, (self.wins - self.marked_wins) / block
            self.runs, self.wins = block, self.wins - self.marked_wins
            self.drifts += 1
            self._turn(was, now, before, seen)
        if self.runs >= MEMORY:
            self.runs *= 0.5
            self.wins *= 0.5
        if self.paid >= PRICE_MEMORY:
            self.paid *= 0.5
            self.cost *= 0.5
        if self.timed >= PRICE_MEMORY:
            self.timed *= 0.5
            self.time *= 0.5

    def _turn(self, was: float, now: float, before: float, seen: int) -> None:
        if now >= was:
            self.lost = None
        elif self.lost is None:
            self.lost = Lost(was, now, before, seen)
        else:
            self.lost = Lost(max(was, self.lost.before), now, max(before, self.lost.runs), seen)

    def _surprising(self, block: float, before: float) -> bool:
        mean = self.wins / self.runs
        gap = (self.wins - self.marked_wins) / block - self.marked_wins / before
        return gap * gap > SURPRISE * mean * (1.0 - mean) * (1.0 / block + 1.0 / before)


class TypeBook(msgspec.Struct):
    tally: Tally = msgspec.field(default_factory=Tally)
    repos: dict[str, Tally] = {}


class ArmBook(msgspec.Struct):
    total: Tally = msgspec.field(default_factory=Tally)
    types: dict[str, TypeBook] = {}


class VerifierBook(msgspec.Struct):
    """How often a verifier accepts good work (`sensitivity`) and bad work (`false_alarm`)."""

    good: float = 10.0
    good_accepted: float = 9.0
    bad: float = 10.0
    bad_accepted: float = 2.0

    @property
    def sensitivity(self) -> float:
        return self.good_accepted / self.good

    @property
    def false_alarm(self) -> float:
        return self.bad_accepted / self.bad

    def add(self, verified: bool, success: float, weight: float = 1.0) -> None:
        """`success` may be a probability when the truth is not known."""
        if self.good + self.bad >= MEMORY:
            self.good, self.good_accepted = self.good * 0.5, self.good_accepted * 0.5
            self.bad, self.bad_accepted = self.bad * 0.5, self.bad_accepted * 0.5
        self.good += weight * success
        self.bad += weight * (1.0 - success)
        if verified:
            self.good_accepted += weight * success
            self.bad_accepted += weight * (1.0 - success)


class Carry(msgspec.Struct):
    """What an arm still wins on tasks that another arm just failed, as a share of what it wins on all tasks."""

    expected: float = 10.0
    won: float = 8.0

    @property
    def share(self) -> float:
        return min(1.0, self.won / self.expected)

    def add(self, expected: float, won: float, weight: float = 1.0) -> None:
        if self.expected >= MEMORY:
            self.expected, self.won = self.expected * 0.5, self.won * 0.5
        self.expected += weight * expected
        self.won += weight * won


class Beliefs(msgspec.Struct):
    """All that the choice remembers: a fold of results, so that a snapshot is its encoding."""

    arms: dict[str, ArmBook] = {}
    seen: dict[str, int] = {}
    verifiers: dict[str, VerifierBook] = {}
    carry: Carry = msgspec.field(default_factory=Carry)
    carries: dict[str, Carry] = {}

    def kept(self, arm: str) -> float:
        """The share of its success that an arm keeps on refused tasks: its own, leaning on that of all arms.

        All cascades that end in an arm share it. It may exceed 1 where the arm's rate is not yet known from plain runs.
        """
        own, share = self.carries.get(arm), self.carry.share
        if own is None:
            return share
        return min(MOST_KEPT, (own.won + CARRY_RUNS * share) / (own.expected + CARRY_RUNS))

    def carried(self, arm: str, expected: float, won: float, weight: float = 1.0) -> None:
        own = self.carries.get(arm)
        if own is None:
            own = self.carries[arm] = Carry(0.0, 0.0)
        own.add(expected, won, weight)
        self.carry.add(expected, won, weight)

    def verifier(self, name: str) -> VerifierBook:
        found = self.verifiers.get(name)
        if found is None:
            found = self.verifiers[name] = VerifierBook()
        return found


def learn(
    beliefs: Beliefs,
    arm: str,
    task_type: str,
    repo: str | None = None,
    success: float | None = None,
    cost: float | None = None,
    time: float | None = None,
    weight: float = 1.0,
) -> None:
    """Fold one result. What is None is not known and changes nothing; `weight=-1` takes a result back."""
    book = beliefs.arms.get(arm)
    if book is None:
        book = beliefs.arms[arm] = ArmBook()
    kind = book.types.get(task_type)
    if kind is None:
        kind = book.types[task_type] = TypeBook()
    if success is not None:
        beliefs.seen[task_type] = beliefs.seen.get(task_type, 0) + 1
    seen = beliefs.seen.get(task_type, 0)
    book.total.add(success, cost, time, weight, seen)
    kind.tally.add(success, cost, time, weight, seen)
    if repo is not None:
        narrow = kind.repos.get(repo)
        if narrow is None:
            narrow = kind.repos[repo] = Tally()
        narrow.add(success, cost, time, weight, seen)


def pooled(own: Sums, wide: Sums, cap: float, widest: Sums | None = None, most: float = 0.0) -> Pooled:
    """`own` in full, plus from each wider sum what lies outside the narrower one, worth at most `cap` (`most`) runs.

    Tallies fade at different times, so a difference may leave its bounds. Written out: every choice asks for every arm.
    """
    runs, wins, paid, cost, timed, time = own.runs, own.wins, own.paid, own.cost, own.timed, own.time
    extra, hits = wide.runs - runs, wide.wins - wins
    if extra > 0.0:
        scale = cap / (extra + cap)
        runs += scale * extra
        wins += scale * (0.0 if hits < 0.0 else hits if hits < extra else extra)
    calls, bill = wide.paid - paid, wide.cost - cost
    if calls > 0.0:
        scale = cap / (calls + cap)
        paid += scale * calls
        cost += scale * bill if bill > 0.0 else 0.0
    rest, clock = wide.timed - timed, wide.time - time
    if rest > 0.0:
        scale = cap / (rest + cap)
        timed += scale * rest
        time += scale * clock if clock > 0.0 else 0.0
    if widest is None:
        return runs, wins, paid, cost, timed, time
    extra, hits = widest.runs - wide.runs, widest.wins - wide.wins
    if extra > 0.0:
        scale = most / (extra + most)
        runs += scale * extra
        wins += scale * (0.0 if hits < 0.0 else hits if hits < extra else extra)
    calls, bill = widest.paid - wide.paid, widest.cost - wide.cost
    if calls > 0.0:
        scale = most / (calls + most)
        paid += scale * calls
        cost += scale * bill if bill > 0.0 else 0.0
    rest, clock = widest.timed - wide.timed, widest.time - wide.time
    if rest > 0.0:
        scale = most / (rest + most)
        timed += scale * rest
        time += scale * clock if clock > 0.0 else 0.0
    return runs, wins, paid, cost, timed, time
