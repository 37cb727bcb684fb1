"""What this process saw of each session: whom it works with, and whether it is stuck."""

from .recent import Recent

STUCK_FAILURES, STUCK_WITHIN, NO_PROGRESS = 3, 180.0, 300.0
MOST = 10_000


class Session:
    __slots__ = ("_arm", "_failures", "_progress_at")

    def __init__(self, now: float) -> None:
        self._arm: str | None = None
        self._failures: list[float] = []
        self._progress_at = now

    def stuck(self, now: float) -> bool:
        failures = self._failures
        if not failures:
            return False
        recent = len(failures) >= STUCK_FAILURES and now - failures[-STUCK_FAILURES] <= STUCK_WITHIN
        return recent or now - self._progress_at > NO_PROGRESS

    def held(self, now: float) -> tuple[str | None, bool]:
        """The incumbent to stay with; after a failure none, and once stuck the one to turn away from."""
        if not self._failures:
            return self._arm, False
        stuck = self.stuck(now)
        return (self._arm if stuck else None), stuck

    def chose(self, arm: str) -> None:
        self._arm = arm

    def ended(self, success: bool | None, now: float) -> None:
        if success:
            self._failures.clear()
            self._progress_at = now
        elif success is False:
            self._failures = [*self._failures[1 - STUCK_FAILURES :], now]


class Sessions:
    """The latest sessions; the one that was idle longest makes room."""

    def __init__(self) -> None:
        self._kept = Recent[str, Session](MOST)

    def get(self, name: str) -> Session | None:
        return self._kept.get(name)

    def chose(self, name: str, arm: str, now: float) -> None:
        session = self._kept.get(name) or Session(now)
        session.chose(arm)
        self._kept.put(name, session)

    def ended(self, name: str, success: bool | None, now: float) -> None:
        session = self._kept.get(name)
        if session is not None:
            session.ended(success, now)
