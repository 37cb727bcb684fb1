"""All breakers of a catalogue: whom a decision leaves out, who may be probed, and who serves when nobody should."""

from collections.abc import Mapping

import msgspec

from .breakers import (
    DEFAULT,
    Breaker,
    BreakerPolicy,
    Status,
    Transition,
    answer_share,
    answers_now,
    observe_result,
    status,
)
from .breakers import may_probe as breaker_may_probe
from .breakers import probe_started as breaker_probe_started

Arms = Mapping[str, str | None]  # each arm with its provider


class Breakers(msgspec.Struct):
    arms: dict[str, Breaker] = {}
    providers: dict[str, Breaker] = {}


def provider_of(model: str) -> str | None:
    """The part before the slash."""
    provider, slash, _ = model.partition("/")
    return provider if slash and provider else None


def record(
    breakers: Breakers,
    arm: str,
    provider: str | None,
    now: float,
    ok: bool | None,
    error: str | None = None,
    retry_after_s: float | None = None,
    *,
    policy: BreakerPolicy = DEFAULT,
    decision: str | None = None,
) -> list[Transition]:
    """Fold one result into the arm's breaker and its provider's."""
    own = breakers.arms.get(arm)
    if own is None:
        own = breakers.arms[arm] = Breaker(arm)
    found = observe_result(own, now, ok, error, retry_after_s, policy=policy, decision=decision)
    changes = [] if found is None else [found]
    if provider is not None:
        shared = breakers.providers.get(provider)
        if shared is None:
            shared = breakers.providers[provider] = Breaker(provider)
        found = observe_result(shared, now, ok, error, retry_after_s, policy=policy, arm=arm, decision=decision)
        if found is not None:
            changes.append(found)
    return changes


def is_closed(breakers: Breakers, arm: str, provider: str | None) -> bool:
    return all(breaker.state == "closed" for breaker in _both(breakers, arm, provider))


def ejected(breakers: Breakers, arms: Arms, share: float = DEFAULT.max_ejected) -> list[str]:
    """The arms left out: first those that failed themselves, not only their provider, then by the longest deadline.

    Beyond the share, the others are spared and serve.
    """
    until = _deadlines(breakers, arms)

    def blame(arm: str) -> tuple[bool, float, str]:
        own = breakers.arms.get(arm)
        return own is None or own.state == "closed", -until[arm], arm

    return sorted(until, key=blame)[: int(share * len(arms))]


def unanswered(breakers: Breakers, arms: Arms, now: float, policy: BreakerPolicy = DEFAULT) -> dict[str, float]:
    """Of the cooled arms: which share of their recent calls was not answered; half where there were none."""
    shares = dict[str, float]()
    for arm, provider in arms.items():
        held = [breaker for breaker in _both(breakers, arm, provider) if breaker.state != "closed"]
        if held:
            shares[arm] = 1.0 - min([answers_now(breaker, now, policy) for breaker in held])
    return shares


def may_probe(breakers: Breakers, arm: str, provider: str | None, now: float) -> bool:
    """Whether this arm may take the one probe of every breaker that holds it back."""
    held = [breaker for breaker in _both(breakers, arm, provider) if breaker.state != "closed"]
    return bool(held) and all(breaker_may_probe(breaker, now) for breaker in held)


def probes(breakers: Breakers, arms: Arms, now: float) -> list[str]:
    """The arms that may be probed now, the likeliest to answer first: a provider is best tried by a healthy arm."""
    own, shared = (
        {name: breaker_may_probe(breaker, now) for name, breaker in kept.items() if breaker.state != "closed"}
        for kept in (breakers.arms, breakers.providers)
    )
    able = [
        arm
        for arm, provider in arms.items()
        if (arm in own or provider in shared) and own.get(arm, True) and shared.get(provider or "", True)
    ]

    def sickness(arm: str) -> tuple[int, str]:
        own = breakers.arms.get(arm)
        return 0 if own is None else own.consecutive, arm

    return sorted(able, key=sickness)


def probe_started(
    breakers: Breakers,
    arm: str,
    provider: str | None,
    now: float,
    decision: str | None = None,
    *,
    policy: BreakerPolicy = DEFAULT,
) -> list[Transition]:
    """A decision probes this arm: every breaker that holds it back has its one probe."""
    if not may_probe(breakers, arm, provider, now):
        return []
    begun = [breaker_probe_started(b, now, decision, policy=policy) for b in _both(breakers, arm, provider)]
    return [transition for transition in begun if transition is not None]


def last_resort(breakers: Breakers, arms: Arms) -> list[str]:
    """When everything is cooled: the earliest deadline first, then whoever answered most of late."""

    until = _deadlines(breakers, arms)

    def patience(arm: str) -> tuple[float, float, str]:
        own = breakers.arms.get(arm)
        return until.get(arm, 0.0), -0.5 if own is None else -answer_share(own), arm

    return sorted(arms, key=patience)


def cooled(breakers: Breakers, now: float) -> list[Status]:
    """Who is cooled, why and until when; providers last."""
    every = [*sorted(breakers.arms.items()), *sorted(breakers.providers.items())]
    return [status(breaker, now) for _, breaker in every if breaker.state != "closed"]


def _both(breakers: Breakers, arm: str, provider: str | None) -> list[Breaker]:
    pair = breakers.arms.get(arm), None if provider is None else breakers.providers.get(provider)
    return [breaker for breaker in pair if breaker is not None]


def _deadlines(breakers: Breakers, arms: Arms) -> dict[str, float]:
    """The arms that are held back, each with the time when the last breaker lets it be tried."""
    own = {name: breaker.until for name, breaker in breakers.arms.items() if breaker.state != "closed"}
    shared = {name: breaker.until for name, breaker in breakers.providers.items() if breaker.state != "closed"}
    if not own and not shared:
        return {}
    until: dict[str, float] = {}
    for arm, provider in arms.items():
        if arm in own:
            until[arm] = own[arm]
        if provider in shared:
            until[arm] = max(until.get(arm, 0.0), shared[provider])
    return until
