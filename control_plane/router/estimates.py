"""What a policy would have achieved on decisions that another one made: estimates from recorded chances.

A decision's weight is the policy's chance for the arm that was taken over the chance that it really had. IPS is the
mean of weighted results, SNIPS divides by the weights, the doubly robust one starts from what was believed before each
decision and corrects it by the weighted surprise. What no weight can speak for (arms that were never possible, weights
that were clipped, arms that never reported) widens the interval by all that it could have been.
"""

import math

import msgspec

Z = 1.959963984540054  # of a normal distribution 95 % lie within so many deviations
FEWEST = 3.0  # effective decisions below which an interval is all that is possible


class Estimate(msgspec.Struct, frozen=True):
    """A mean for one decision, and the interval that covers the true one in 95 of 100 histories."""

    value: float
    low: float
    high: float


class Estimates(msgspec.Struct, frozen=True):
    """One measure; `delta` is the doubly robust difference from what was recorded."""

    known: int
    effective: float
    recorded: Estimate
    ips: Estimate
    snips: Estimate
    dr: Estimate
    delta: Estimate


class Batch(msgspec.Struct, frozen=True):
    """Decisions that share arm, weight and expectations, with the sum and the sum of squares of known results.

    `base` is what was expected under the policy, `base_before` under the recorded one, `model` of the arm taken;
    `missed` is the share that no weight speaks for, `missed_model` what was expected of it.
    """

    given: int
    known: int
    total: float
    squares: float
    weight: float
    model: float
    base: float
    base_before: float
    missed: float = 0.0
    missed_model: float = 0.0


class Sums(msgspec.Struct):
    """One arm: results r, surprises e = r - model, weights w, changes of weight v = w - 1; bases b, their change d."""

    given: int = 0
    known: int = 0
    w_given: float = 0.0
    w_expected: float = 0.0
    v_given: float = 0.0
    w: float = 0.0
    ww: float = 0.0
    r: float = 0.0
    rr: float = 0.0
    wr: float = 0.0
    wwr: float = 0.0
    wwrr: float = 0.0
    we: float = 0.0
    wwee: float = 0.0
    bwe: float = 0.0
    ve: float = 0.0
    vvee: float = 0.0
    dve: float = 0.0


class Measure:
    """One measure of all decisions; `low` and `high` are the least and the most that a result can be."""

    def __init__(self, low: float = math.inf, high: float = -math.inf) -> None:
        self.low, self.high = low, high
        self.arms: dict[str, Sums] = {}
        self.decisions = 0
        self.b = self.bb = self.d = self.dd = 0.0
        self.missed = self.missed_model = 0.0

    def span(self, results: list[float]) -> None:
        self.low, self.high = min([self.low, *results]), max([self.high, *results])

    def add(self, arm: str, batch: Batch) -> None:
        s = self.arms.get(arm)
        if s is None:
            s = self.arms[arm] = Sums()
        given, known, r, rr = batch.given, batch.known, batch.total, batch.squares
        w, m, b = batch.weight, batch.model, batch.base
        v, d, ww = w - 1.0, b - batch.base_before, w * w
        self.decisions += given
        self.b += given * b
        self.bb += given * b * b
        self.d += given * d
        self.dd += given * d * d
        self.missed += given * batch.missed
        self.missed_model += given * batch.missed_model
        s.given += given
        s.w_given += given * w
        s.w_expected += given * w * m
        s.v_given += given * abs(v)
        if not known:
            return
        e, ee = r - known * m, rr - 2.0 * m * r + known * m * m
        s.known += known
        s.w += known * w
        s.ww += known * ww
        s.r += r
        s.rr += rr
        s.wr += w * r
        s.wwr += ww * r
        s.wwrr += ww * rr
        s.we += w * e
        s.wwee += ww * ee
        s.bwe += b * w * e
        s.ve += v * e
        s.vvee += v * v * ee
        s.dve += d * v * e

    def estimates(self) -> Estimates | None:
        """None where no result is known."""
        known = [s for s in self.arms.values() if s.known]
        if not known:
            return None
        n, silent = self.decisions, [s for s in self.arms.values() if not s.known]
        missed = self.missed + sum(s.w_given for s in silent)
        expected = self.missed_model + sum(s.w_expected for s in silent)
        w, ww = _reported(known, "w"), _reported(known, "ww", 2)
        effective = w * w / ww if ww else 0.0
        seen = sum(s.known for s in known)
        heard = sum(s.given for s in known)
        effective_before = heard * heard / math.fsum([s.given * s.given / s.known for s in known])
        unheard = sum(s.given for s in silent) / n
        gap = missed / n
        recorded = self._mean(_reported(known, "r") / n, _reported(known, "rr", 2) / n, n)
        ips = self._mean(_reported(known, "wr") / n, _reported(known, "wwrr", 2) / n, n)
        surprise = self.b + _reported(known, "we")
        squares = self.bb + 2.0 * _reported(known, "bwe") + _reported(known, "wwee", 2)
        dr = self._mean(surprise / n, squares / n, n)
        ratio, ratio_error = _ratio(known, w, ww)
        at = expected / n
        return Estimates(
            seen,
            effective,
            self._interval(*recorded, effective_before, unheard * self.low, unheard * self.high),
            self._interval(*ips, effective, gap * self.low, gap * self.high),
            self._interval(ratio, ratio_error, effective, gap * (self.low - ratio), gap * (self.high - ratio)),
            self._interval(*dr, effective, gap * self.low - at, gap * self.high - at),
            self._delta(known, silent, effective),
        )

    def _delta(self, known: list[Sums], silent: list[Sums], effective: float) -> Estimate:
        n, width = self.decisions, self.high - self.low
        shift = self.d + _reported(known, "ve")
        squares = self.dd + 2.0 * _reported(known, "dve") + _reported(known, "vvee", 2)
        moved = min(1.0, sum(s.v_given for s in self.arms.values()) / n)
        doubt = sum(s.v_given for s in silent) / n
        return self._interval(
            *self._mean(shift / n, squares / n, n),
            effective,
            self.missed / n * self.low - self.missed_model / n - doubt * width,
            self.missed / n * self.high - self.missed_model / n + doubt * width,
            (-width, width),
            moved,
        )

    def _mean(self, mean: float, square: float, n: int) -> tuple[float, float]:
        return mean, math.sqrt(max(0.0, square - mean * mean) / n)

    def _interval(
        self,
        value: float,
        error: float,
        effective: float,
        below: float,
        above: float,
        bounds: tuple[float, float] | None = None,
        share: float = 1.0,
    ) -> Estimate:
        """`below` and `above`: what lies unseen; `share`: how much of it all is in doubt at all."""
        low, high = bounds or (self.low, self.high)
        if share == 0.0 and error == 0.0 and below == above == 0.0:
            return Estimate(value, value, value)
        if effective < FEWEST:
            return Estimate(value, min(low, value), max(high, value))
        # A handful of equal results is not certainty: as if one more of them had come out otherwise.
        least = share * (self.high - self.low) * Z / (2.0 * effective)
        reach = student(effective - 1.0) * math.hypot(error, least)
        # A value beyond what is possible stays in its interval: that shows how unsure it is.
        return Estimate(
            value,
            min(value, max(low, value + min(below, 0.0) - reach)),
            max(value, min(high, value + max(above, 0.0) + reach)),
        )


def student(freedom: float) -> float:
    """The 97.5 % point of Student's t (Cornish-Fisher), a little wide below five degrees of freedom."""
    v, z = max(freedom, 1.0), Z
    first = (z**3 + z) / 4.0
    second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    return z + first / v + second / v**2 + third / v**3


def _reported(arms: list[Sums], field: str, power: int = 1) -> float:
    """A sum over all decisions, each arm's known results standing for those of its decisions that never reported."""
    return math.fsum([getattr(s, field) * (s.given / s.known) ** power for s in arms])


def _ratio(known: list[Sums], w: float, ww: float) -> tuple[float, float]:
    """The mean result under weights that add up to one, and its error; without any weight it is not known."""
    if not w:
        return 0.0, math.inf
    ratio = _reported(known, "wr") / w
    spread = _reported(known, "wwrr", 2) - 2.0 * ratio * _reported(known, "wwr", 2) + ratio * ratio * ww
    return ratio, math.sqrt(max(0.0, spread)) / w
