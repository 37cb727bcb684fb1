"""Which bar a wall-clock number is judged by; counts and what is right or wrong are judged alike in both forms."""

import msgspec

from ..evidence import Criterion, at_least, at_most


class Bars(msgspec.Struct, frozen=True):
    """Ours in the whole form; in the short one, which runs beside other work, the seed's, or none where it has none."""

    quick: bool

    def at_most(
        self, name: str, value: float | None, ours: float, *, seed: float | None = None
    ) -> tuple[Criterion, ...]:
        if not self.quick:
            return (at_most(name, value, ours),)
        return () if seed is None else (msgspec.structs.replace(at_most(name, value, seed), bar="the seed's"),)

    def at_least(self, name: str, value: float | None, ours: float) -> tuple[Criterion, ...]:
        return () if self.quick else (at_least(name, value, ours),)
