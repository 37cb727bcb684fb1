"""From how many repeats on a loop is one; what could never be reached is refused when it is read."""

import msgspec

from ..errors import SettingsError


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Counts are of whole repetitions. `window` is how many calls are remembered."""

    same: int = 4
    cycles: int = 3
    longest_period: int = 10
    failures: int = 5
    wandering: int = 12
    messages: int = 4
    chants: int = 8
    waits: int = 40
    wait_s: float = 1800.0
    window: int = 256
    # After a nudge a known loop needs only so many more repetitions.
    again: int = 2

    def __post_init__(self) -> None:
        least = {
            "same": 3, "cycles": 2, "longest_period": 1, "failures": 3, "wandering": 4, "messages": 3, "chants": 4,
            "waits": 4, "wait_s": 1, "again": 1,
        }  # fmt: skip
        for name, value in least.items():
            if getattr(self, name) < value:
                raise SettingsError(
                    f"{name} = {getattr(self, name)} is too few to tell a loop", cure=f"from {value} on"
                )
        needed = max(self.same, self.failures, self.longest_period * (self.cycles + 1), self.wandering * 3, self.waits)
        if self.window < needed:
            raise SettingsError(
                f"a window of {self.window} calls never holds {needed}",
                why="a threshold that cannot be reached finds nothing", cure=f"window = {needed} or more",
            )  # fmt: skip
