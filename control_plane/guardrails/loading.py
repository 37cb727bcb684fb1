"""Keeps the rules in step with their files; what cannot be used never takes the place of what can."""

import os
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from .errors import RulesUnreadable
from .matching import with_own
from .rulefile import Rule, RuleSet, read_rules, rule_set
from .terms import HARDNESS

PLACES = (".claude/skills/skill-rules.json", ".opencode/skill-rules.json")


def project_root(folder: str) -> str:
    """The nearest folder upward, this one included, that has rules or a repository; else this one."""
    place = Path(folder).absolute()
    return str(next((one for one in (place, *place.parents) if has_rules(one) or (one / ".git").exists()), place))


def has_rules(project: str | Path) -> bool:
    return any(os.path.isfile(os.path.join(project, place)) for place in PLACES)


class Loaded(NamedTuple):
    """`rules` None: nothing new. `refused` says why the files cannot be used."""

    rules: RuleSet | None
    refused: str
    source: str
    digest: str


class RuleFiles:
    def __init__(self, project: str) -> None:
        self._paths = [Path(project) / place for place in PLACES]
        self._seen: tuple[object, ...] | None = None

    def forget(self) -> None:
        """What was looked at came to nothing; look again."""
        self._seen = None

    def look(self, *, known: bool) -> Loaded | None:
        """None while nothing changed; with `known` there is a last good version that a broken file must not replace."""
        stamp = tuple(map(_stamp, self._paths))
        if stamp == self._seen:
            return None
        self._seen = stamp
        present = [path for path, mark in zip(self._paths, stamp, strict=True) if mark is not None]
        source = ", ".join(str(PLACES[self._paths.index(path)]) for path in present) or "no rules file"
        if not present and known:
            return Loaded(None, "the rules file is gone", source, "")
        texts: list[bytes] = []
        try:
            texts = [path.read_bytes() for path in present]
            rules = _together([read_rules(text) for text in texts])
        except (OSError, RulesUnreadable) as fault:
            return Loaded(None, str(fault), source, _digest(texts))
        if rules.fatal and known:
            first = rules.fatal[0]
            return Loaded(None, f"{first.rule}: {first.what}", source, _digest(texts))
        return Loaded(with_own(rules), "", source, _digest(texts))


def _together(sets: list[RuleSet]) -> RuleSet:
    """Of two rules of one name the harder one stays."""
    chosen: dict[str, Rule] = {}
    problems = [problem for rules in sets for problem in rules.problems]
    for rule in (rule for rules in sets for rule in rules.rules):
        held = chosen.get(rule.name)
        if held is None or HARDNESS[rule.enforcement] > HARDNESS[held.enforcement]:
            chosen[rule.name] = rule
    return rule_set(list(chosen.values()), problems)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _digest(texts: list[bytes]) -> str:
    return blake2b(b"\0".join(texts), digest_size=16).hexdigest()
