"""The decision: rules, modes, the session's past and one observation go in, hits come out. Pure, so it repeats."""

from collections.abc import Set as AbstractSet
from typing import NamedTuple

import msgspec

from .events import Hit, Observation, Target
from .matching import Matcher
from .rulefile import OWN_FAMILY, Rule
from .terms import HARDNESS, STRICTNESS, Decision, Mode, hardest


class Modes(msgspec.Struct, frozen=True):
    """Who enforces where: `told` is the word of the flags, the rest what was promoted and demoted, scope by scope."""

    told: Mode | None = None
    families: tuple[str, ...] = ()
    promoted: dict[str, Mode] = msgspec.field(default_factory=dict)
    off_until: float = 0.0

    def of(self, family: str, path: str) -> tuple[Mode, str]:
        """The mode of a family at a path, and the scope that says so: the longest one that holds it."""
        if family == OWN_FAMILY:
            return (Mode.ENFORCE if self.anything_enforced() else self.told or Mode.SHADOW), ""
        ledger, scope = self._ledger(family, path)
        if self.told is None:
            return ledger or Mode.SHADOW, scope
        if self.told is Mode.ENFORCE:
            chosen = not self.families or family in self.families
            # What was demoted for its false blocks stays so until it is promoted again.
            return (Mode.ENFORCE if chosen and ledger in (None, Mode.ENFORCE) else Mode.SHADOW), scope
        return self.told, scope

    def anything_enforced(self) -> bool:
        if self.told is None:
            return Mode.ENFORCE in self.promoted.values()
        return self.told is Mode.ENFORCE

    def braked(self, observation: Observation) -> "Modes":
        """The caller's own environment: its brake holds for its call, and what is named there is enforced there."""
        modes = self
        if observation.enforce is not None and self.told is None:
            modes = msgspec.structs.replace(modes, told=observation.enforce, families=observation.families)
        elif observation.families and modes.told is Mode.ENFORCE:
            both = tuple(f for f in observation.families if not modes.families or f in modes.families)
            modes = msgspec.structs.replace(modes, families=both or ("",))
        brake = observation.brake
        if brake is None or brake is Mode.ENFORCE:
            return modes
        if modes.told is None or STRICTNESS[brake] < STRICTNESS[modes.told]:
            return msgspec.structs.replace(modes, told=brake)
        return modes

    def _ledger(self, family: str, path: str) -> tuple[Mode | None, str]:
        parts = path.split("/")
        for length in range(len(parts), -1, -1):
            scope = "/".join(parts[:length])
            if (mode := self.promoted.get(key_of(family, scope))) is not None:
                return mode, scope
        return None, ""


class Past(NamedTuple):
    """What the session did before: skills it used, markers it wrote itself, markers that were always there."""

    skills: AbstractSet[str] = frozenset()
    forged: AbstractSet[str] = frozenset()
    trusted: AbstractSet[str] = frozenset()


class Verdict(NamedTuple):
    hits: tuple[Hit, ...]
    live: Decision
    would: Decision
    skip: str


def key_of(family: str, scope: str) -> str:
    return f"{family}\n{scope}"


def decide(matcher: Matcher, modes: Modes, past: Past, seen: Observation, now: float) -> Verdict:
    if modes.off_until > now:
        return Verdict((), Decision.ALLOW, Decision.ALLOW, "switched off by a person")
    modes = modes.braked(seen)
    if modes.told is Mode.OFF:
        return Verdict((), Decision.ALLOW, Decision.ALLOW, "mode off")
    hits = [*_prompt_hits(matcher, modes, past, seen), *_file_hits(matcher, modes, past, seen)]
    hits += _opaque_hits(matcher, modes, seen)
    ordered = tuple(sorted(hits, key=lambda hit: (-HARDNESS[hit.live], -HARDNESS[hit.would], hit.rule, hit.path)))
    return Verdict(
        ordered, hardest([hit.live for hit in hits]), hardest([hit.would for hit in hits]), _skip_of(ordered)
    )


def _skip_of(hits: tuple[Hit, ...]) -> str:
    return hits[0].skip if hits else "no rule matches"


def _prompt_hits(matcher: Matcher, modes: Modes, past: Past, seen: Observation) -> list[Hit]:
    found = []
    for name in seen.prompt:
        if (rule := matcher.by_name.get(name)) is not None:
            mode, scope = modes.of(rule.family, "")
            skip = "skill used" if rule.skip_when_skill_used and rule.name in past.skills else ""
            decision = Decision.ALLOW if skip else Decision.SUGGEST
            found.append(Hit(rule.name, rule.family, "", mode, decision, decision, scope, skip))
    return found


def _file_hits(matcher: Matcher, modes: Modes, past: Past, seen: Observation) -> list[Hit]:
    found: dict[tuple[str, str], Hit] = {}
    for target in seen.targets:
        for number in sorted({n for name in (target.path, *target.aliases) for n in matcher.files(name)}):
            rule = matcher.rules.rules[number]
            if not _speaks(rule, target):
                continue
            mode, scope = modes.of(rule.family, target.path)
            skip = _skipped(rule, target, past, seen)
            would = Decision.ALLOW if skip else rule.enforcement
            live = Decision.ALLOW if would is Decision.BLOCK and mode is not Mode.ENFORCE else would
            why = target.via if target.via != "edit" else ""
            hit = Hit(rule.name, rule.family, target.path, mode, would, live, scope, skip, why)
            held = found.get((rule.name, target.path))
            if held is None or HARDNESS[hit.would] > HARDNESS[held.would]:
                found[rule.name, target.path] = hit
    return list(found.values())


def _speaks(rule: Rule, target: Target) -> bool:
    if rule.create_only and not target.created:
        return False
    if not rule.contents or rule.name in target.content:
        return True
    # What cannot be seen is not taken for harmless by a rule that blocks.
    return target.unseen and rule.enforcement is Decision.BLOCK


def _skipped(rule: Rule, target: Target, past: Past, seen: Observation) -> str:
    if rule.skip_when_skill_used and rule.name in past.skills:
        return "skill used"
    if rule.env_override and rule.env_override in seen.overrides:
        return "environment override"
    for marker in rule.markers:
        mark = f"{target.path}\n{marker}"
        if (marker in target.markers and mark not in past.forged) or mark in past.trusted:
            return "file marker"
    return ""


def _opaque_hits(matcher: Matcher, modes: Modes, seen: Observation) -> list[Hit]:
    if not seen.opaque:
        return []
    found = []
    for rule in matcher.rules.rules:
        if rule.paths is None or rule.enforcement is not Decision.BLOCK or rule.kind != "guardrail":
            continue
        mode, scope = modes.of(rule.family, "")
        live = Decision.BLOCK if mode is Mode.ENFORCE else Decision.ALLOW
        found.append(Hit(rule.name, rule.family, "", mode, Decision.BLOCK, live, scope, "", seen.opaque[0]))
    return found
