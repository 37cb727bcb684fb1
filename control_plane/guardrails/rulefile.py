"""`skill-rules.json`: the public format of skill triggers, read strictly enough that nothing is lost silently."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Literal

import msgspec

from .errors import BadPattern, RulesUnreadable
from .patterns import compiled, glob_expression
from .terms import Decision

LARGEST = 1 << 20
OWN_FAMILY = "guard"
NEVER, NEVER_A_PATH = r"[^\s\S]", "/never/"
Kind = Literal["guardrail", "domain"]
OnError = Literal["block", "allow"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One skill with its triggers; `paths` None means that it has no file trigger at all."""

    name: str
    family: str
    kind: Kind = "domain"
    enforcement: Decision = Decision.SUGGEST
    priority: str = "medium"
    description: str = ""
    keywords: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    exclusions: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    create_only: bool = False
    message: str = ""
    skip_when_skill_used: bool = False
    markers: tuple[str, ...] = ()
    env_override: str = ""
    on_error: OnError = "allow"


class Problem(msgspec.Struct, frozen=True):
    """Something in the file that does not do what its author meant; `fatal` when a trigger is lost by it."""

    rule: str
    what: str
    fatal: bool = False


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of one version; `version` names their content, whoever wrote it down how."""

    version: str
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def fatal(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.fatal)


_TOP = {"version", "description", "skills", "notes", "$schema"}
_RULE = {
    "type", "enforcement", "priority", "description", "promptTriggers", "fileTriggers", "blockMessage",
    "skipConditions", "family", "onError", "on_error",
}  # fmt: skip
_PROMPT, _FILE = {"keywords", "intentPatterns"}, {"pathPatterns", "pathExclusions", "contentPatterns", "createOnly"}
_SKIP = {"sessionSkillUsed", "fileMarkers", "envOverride"}


def read_rules(text: bytes) -> RuleSet:
    """The rules of one file; raises when it cannot be read at all, lists every smaller fault as a problem."""
    if len(text) > LARGEST:
        raise RulesUnreadable(f"the rules file has {len(text):,} bytes", why=f"the limit is {LARGEST:,}")
    try:
        top = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as fault:
        raise RulesUnreadable("the rules file cannot be read", why=str(fault), cure="mend its JSON") from None
    if not isinstance(top, dict) or not isinstance(top.get("skills"), dict):
        raise RulesUnreadable(
            "the rules file has no object `skills`", cure='begin with {"version": "1.0", "skills": {}}'
        )
    problems = [Problem("", f"unknown key {key!r}") for key in top.keys() - _TOP]
    rules = [_rule(str(name), told, problems) for name, told in top["skills"].items()]
    return rule_set([rule for rule in rules if rule is not None], problems)


def rule_set(rules: list[Rule], problems: list[Problem] | None = None) -> RuleSet:
    ordered = tuple(sorted(rules, key=lambda rule: rule.name))
    return RuleSet(sha256(msgspec.json.encode(ordered)).hexdigest()[:16], ordered, tuple(problems or ()))


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twin!r} stands there twice")
    return dict(pairs)


def _rule(name: str, told: Any, problems: list[Problem]) -> Rule | None:
    if not isinstance(told, dict) or not name:
        problems.append(Problem(name, "it is not an object", fatal=True))
        return None
    source = _Source(name, told, problems)
    source.known(told, _RULE)
    prompt, file, skip = (source.part(key) for key in ("promptTriggers", "fileTriggers", "skipConditions"))
    for part, keys in ((prompt, _PROMPT), (file, _FILE), (skip, _SKIP)):
        source.known(part or {}, keys)
    return Rule(
        name=name,
        family=source.text(told, "family") or name.partition("-")[0],
        kind="guardrail" if source.word("type", ("guardrail", "domain"), "domain") == "guardrail" else "domain",
        enforcement=Decision(source.word("enforcement", ("suggest", "warn", "block"), "suggest")),
        priority=source.word("priority", ("critical", "high", "medium", "low"), "medium"),
        description=source.text(told, "description"),
        keywords=tuple(word for word in source.texts(prompt, "keywords") if word.strip()),
        intents=source.expressions(prompt, "intentPatterns"),
        paths=source.globs(file, "pathPatterns") if file is not None else None,
        exclusions=tuple(one for one in source.globs(file, "pathExclusions") if one not in ("**", NEVER_A_PATH)),
        contents=source.expressions(file, "contentPatterns"),
        create_only=bool((file or {}).get("createOnly", False)),
        message=source.text(told, "blockMessage"),
        skip_when_skill_used=bool((skip or {}).get("sessionSkillUsed", False)),
        markers=tuple(marker for marker in source.texts(skip, "fileMarkers") if marker.strip()),
        env_override=source.text(skip or {}, "envOverride"),
        on_error="block" if source.blocks_on_error else "allow",
    )


class _Source:
    """Reads one rule's parts and notes what is not as it should be."""

    def __init__(self, name: str, told: dict[str, Any], problems: list[Problem]) -> None:
        self._name, self._told, self._problems = name, told, problems

    def known(self, part: dict[str, Any], keys: set[str]) -> None:
        self._problems += [Problem(self._name, f"unknown key {key!r}") for key in part.keys() - keys]

    def part(self, key: str) -> dict[str, Any] | None:
        found = self._told.get(key)
        if found is None or isinstance(found, dict):
            return found
        self._wrong(f"{key} is not an object")
        return None

    def text(self, part: dict[str, Any], key: str) -> str:
        found = part.get(key, "")
        if not isinstance(found, str):
            self._wrong(f"{key} is not a text")
            return ""
        return found

    def word(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        found = self._told.get(key, default)
        if found not in allowed:
            self._wrong(f"{key} is {found!r} and not one of {', '.join(allowed)}")
            # A rule whose pressure nobody can read must not become a softer one by that.
            return "block" if key == "enforcement" else default
        return str(found)

    def texts(self, part: dict[str, Any] | None, key: str) -> tuple[str, ...]:
        found = (part or {}).get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            self._wrong(f"{key} is not a list of texts")
            return ()
        return tuple(found)

    def globs(self, part: dict[str, Any] | None, key: str) -> tuple[str, ...]:
        return self._kept(self.texts(part, key), glob_expression, "**", NEVER_A_PATH)

    def expressions(self, part: dict[str, Any] | None, key: str) -> tuple[str, ...]:
        return self._kept(self.texts(part, key), str, "", NEVER)

    def _kept(
        self, told: tuple[str, ...], spelled: Callable[[str], str], everything: str, nothing: str
    ) -> tuple[str, ...]:
        """What can be used; a broken pattern stands for everything or nothing, as the rule's `onError` says."""
        instead = everything if self.blocks_on_error else nothing
        return tuple(one if self._usable(spelled(one), one) else instead for one in told)

    @property
    def blocks_on_error(self) -> bool:
        return "block" in (self._told.get("onError"), self._told.get("on_error"))

    def _usable(self, expression: str, shown: str) -> bool:
        try:
            compiled(expression)
        except BadPattern as fault:
            self._wrong(f"{shown[:80]!r}: {fault.why}")
            return False
        return True

    def _wrong(self, what: str) -> None:
        self._problems.append(Problem(self._name, what, fatal=True))
