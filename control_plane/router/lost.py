"""An arm that lost its quality: what it was before, and when it is worth finding out whether it has it back.

Its results are weighed as evidence for "as good as before" against "as bad as when it fell". It is asked the more
often the likelier the first is, and the less often the longer it has been away.
"""

import msgspec

PATIENCE = 100  # results after which it is asked half as often as at first
ASKED = 8.0  # how often it is asked in that time
MOST = 0.5  # of all choices, however likely it is that the arm is well again
AT_FIRST, LEAST, WELL = 1.0 / 16.0, 1.0 / 64.0, 16.0  # odds that it is as good as before
REMEMBERED = 64.0  # runs of before that count again once it is well


class Lost(msgspec.Struct, frozen=True, gc=False):
    """`at` counts the results of the task type; `runs` are those of before."""

    before: float
    since: float
    runs: float
    at: int
    odds: float = AT_FIRST

    def heard(self, success: float) -> "Lost":
        good, bad = _inside(self.before), _inside(min(self.since, self.before - 0.1))
        odds = self.odds * (success * good / bad + (1.0 - success) * (1.0 - good) / (1.0 - bad))
        return msgspec.structs.replace(self, odds=max(LEAST, odds))

    @property
    def well(self) -> bool:
        return self.odds >= WELL

    def chance(self, seen: int) -> float:
        """The share of choices that go to it for the sake of finding out."""
        asked = ASKED / (PATIENCE + max(0, seen - self.at))
        return min(MOST, max(asked, MOST * self.odds / (1.0 + self.odds)))


def _inside(rate: float) -> float:
    return 0.02 if rate < 0.02 else 0.98 if rate > 0.98 else rate
