"""A rule is changed only after the change was tried on every recorded decision; a true hit is never tuned away."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from ..replacing import replace
from . import events as e
from .deciding import decide
from .errors import BadTuning
from .loading import PLACES
from .matching import Matcher, matcher_of
from .patterns import compiled, glob_expression
from .replaying import Log, cases
from .rulefile import Rule, RuleSet, read_rules, rule_set
from .service import Guard
from .state import State, hit_key
from .terms import Decision, Label

MOST_CANDIDATES = 20


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to one rule: paths that it shall not meet, paths that it shall, markers that pass it by."""

    rule: str
    exclude: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        told = [f"exclude {glob}" for glob in self.exclude] + [f"path {glob}" for glob in self.paths]
        return ", ".join(told + [f"skip marker {marker}" for marker in self.markers])


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What the change would have done to all that was ever decided; true and false count what people labelled."""

    change: Change
    decisions: int
    hits_before: int
    hits_after: int
    false_before: int
    false_after: int
    true_before: int
    true_after: int

    @property
    def good(self) -> bool:
        return self.true_after == self.true_before and self.false_after < self.false_before


def candidates(state: State) -> tuple[Change, ...]:
    """For the rules with false positives, the narrowest exclusions that take those and no true hit."""
    rules = {rule.name: rule for rule in state.versions.get(state.rules, ())}
    false: dict[str, Counter[str]] = {}
    true: dict[str, set[str]] = {}
    for hit in state.hits.values():
        if hit.label is Label.FP and hit.path:
            false.setdefault(hit.rule, Counter())[hit.path] += 1
        elif hit.label is Label.TP and hit.path:
            true.setdefault(hit.rule, set()).add(hit.path)
    found = []
    for rule, paths in sorted(false.items(), key=lambda one: (-one[1].total(), one[0])):
        if rule in rules:
            found += [
                Change(rule=rule, exclude=(glob,)) for glob in _globs(set(paths), true.get(rule, set()), rules[rule])
            ]
    return tuple(found[:MOST_CANDIDATES])


def _globs(false: set[str], true: set[str], rule: Rule) -> list[str]:
    """A glob for several false positives is better than one for each, when it takes no true hit along."""
    left, found = set(false), []
    while left:
        wide = {glob for path in left for glob in _wider(path)}
        fitting = {glob: _taken(glob, left) for glob in wide if not _taken(glob, true)}
        # The longer of two that take the same is the narrower one.
        best = max(fitting, key=lambda glob: (len(fitting[glob]), len(glob), glob), default=None)
        if best is None or len(fitting[best]) < 2:
            found += sorted(path for path in left if path not in true)
            break
        found.append(best)
        left -= fitting[best]
    return [glob for glob in found if glob not in rule.exclusions]


def _wider(path: str) -> list[str]:
    folders, name = path.split("/")[:-1], path.rpartition("/")[2]
    stem, dot, suffix = name.partition(".")
    inside = ["/".join(folders[: n + 1]) + "/**" for n in range(len(folders))]
    # `x.test.ts` tells a kind of file; `x.ts` tells only a language.
    kinds = [f"**/*.{suffix}"] if dot and stem and "." in suffix else []
    kinds += [f"**/{folder}/**" for folder in folders if folder in ("test", "tests", "__tests__", "fixtures", "docs")]
    return inside[1:] + kinds


def _taken(glob: str, paths: set[str]) -> set[str]:
    expression = compiled(glob_expression(glob), ignore_case=True, dot_all=True)
    return {path for path in paths if expression.search(path.encode("utf-8", "surrogateescape")) is not None}


def changed(rules: RuleSet, change: Change) -> RuleSet:
    def new(rule: Rule) -> Rule:
        if rule.name != change.rule:
            return rule
        return msgspec.structs.replace(
            rule, exclusions=tuple(dict.fromkeys((*rule.exclusions, *change.exclude))),
            paths=change.paths or rule.paths, markers=tuple(dict.fromkeys((*rule.markers, *change.markers))),
        )  # fmt: skip

    return rule_set([new(rule) for rule in rules.rules])


def rehearse(log: Log, state: State, change: Change) -> Rehearsal:
    """Every recorded decision, by the rules in force and by the changed ones."""
    rules = RuleSet(state.rules, state.versions.get(state.rules, ()))
    before, after = matcher_of(rules), matcher_of(changed(rules, change))
    counts: Counter[str] = Counter()
    for _, case in cases(log):
        counts["decisions"] += 1
        for word, matcher in (("before", before), ("after", after)):
            if _hit(case.event, matcher, change.rule, case.modes, case.past):
                known = state.hits.get(hit_key(case.event.decision, change.rule))
                label = known.label if known else None
                counts[f"hits {word}"] += 1
                counts[f"false {word}"] += label is Label.FP
                counts[f"true {word}"] += label is Label.TP
    return Rehearsal(
        change=change, decisions=counts["decisions"], hits_before=counts["hits before"],
        hits_after=counts["hits after"], false_before=counts["false before"], false_after=counts["false after"],
        true_before=counts["true before"], true_after=counts["true after"],
    )  # fmt: skip


def _hit(event: e.Decided, matcher: Matcher, rule: str, modes: Any, past: Any) -> bool:
    verdict = decide(matcher, modes, past, event.seen, event.at)
    return any(hit.rule == rule and hit.would is not Decision.ALLOW for hit in verdict.hits)


def tune(guard: Guard, change: Change, *, apply: bool, actor: str = "") -> Rehearsal:
    """Rehearse, and with `apply` write it into the rules file when it loses no true hit."""
    guard.matcher()
    guard.ledger.flush()
    state = guard.state()
    rules = {rule.name: rule for rule in state.versions.get(state.rules, ())}
    if change.rule not in rules:
        raise BadTuning(f"no rule in force is called {change.rule!r}", cure=f"there are {', '.join(sorted(rules))}")
    seen = rehearse(guard.ledger, state, change)
    if apply and not (seen.good or (change.markers and not change.exclude and not change.paths)):
        raise BadTuning(
            f"{change.words} is not applied to {change.rule}",
            why=f"of {seen.true_before} true hits {seen.true_after} would be left, "
            f"of {seen.false_before} false ones {seen.false_after}",
            cure="it must lose no true hit and at least one false one; label more hits or narrow it",
        )
    if apply:
        _write(Path(guard.project), change)
        guard.matcher()
    guard.ledger.record(
        e.RulesTuned(
            rule=change.rule, before=_words(rules[change.rule]), after=change.words, applied=apply,
            decisions=seen.decisions, false_before=seen.false_before, false_after=seen.false_after,
            true_before=seen.true_before, true_after=seen.true_after, actor=actor, at=guard.now(),
        )
    )  # fmt: skip
    guard.ledger.flush()
    return seen


def _words(rule: Rule) -> str:
    return f"paths {', '.join(rule.paths or ())}; exclusions {', '.join(rule.exclusions) or 'none'}"[:500]


def _write(project: Path, change: Change) -> None:
    """Into the file that holds the rule; what cannot be read back is not written."""
    for place in PLACES:
        path = project / place
        if not path.is_file():
            continue
        told = json.loads(path.read_text("utf-8-sig"))
        rule = told.get("skills", {}).get(change.rule)
        if rule is None:
            continue
        file = rule.setdefault("fileTriggers", {})
        if change.exclude:
            file["pathExclusions"] = list(dict.fromkeys([*file.get("pathExclusions", []), *change.exclude]))
        if change.paths:
            file["pathPatterns"] = list(change.paths)
        if change.markers:
            skip = rule.setdefault("skipConditions", {})
            skip["fileMarkers"] = list(dict.fromkeys([*skip.get("fileMarkers", []), *change.markers]))
        text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        if fatal := read_rules(text.encode()).fatal:
            raise BadTuning(f"{change.words} cannot be used", why=fatal[0].what)
        replace(path, text.encode())
        return
    raise BadTuning(f"no rules file holds {change.rule}", cure=f"it should stand in {' or '.join(PLACES)}")
