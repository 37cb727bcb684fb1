"""The flags of an open plane: as told at its opening, or as environment and flips say at this moment."""

from collections.abc import Callable, Mapping

from ..flags import Flags, read_flags


class LiveFlags:
    """`told` stands as it is; else the environment of the opening stays, and flips that come are heeded at once."""

    def __init__(
        self, told: Flags | None, environment: Mapping[str, str], held: Callable[[], Mapping[str, str]]
    ) -> None:
        self._told, self._environment, self._held = told, dict(environment), held
        self._read: tuple[Mapping[str, str], Flags] | None = None

    def now(self) -> Flags:
        flips = self._held()
        read = self._read
        # The fold never changes the flips that it handed out, so the same dict says the same.
        if read is None or read[0] is not flips:
            read = self._read = (flips, self.under(flips))
        return read[1]

    def under(self, flips: Mapping[str, str]) -> Flags:
        """What the flags would be with these flips."""
        return self._told if self._told is not None else read_flags(self._environment, flips)
