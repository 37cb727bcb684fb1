"""One version of the rules, made ready: which rules a path meets, and what a text means to them."""

from functools import lru_cache

from .patterns import Bundle, glob_expression, literal
from .rulefile import OWN_FAMILY, Rule, RuleSet, rule_set
from .terms import Decision

OWN = Rule(
    name="guard-self",
    family=OWN_FAMILY,
    kind="guardrail",
    enforcement=Decision.BLOCK,
    priority="critical",
    description="The guardrails' own rules, records and switches are not an agent's to change.",
    paths=(
        ".claude/settings*.json", "**/skill-rules.json", ".claude/hooks/**", ".opencode/plugin/**",
        ".opencode/plugins/**",
        ".opencode/control-plane", ".opencode/control-plane/**", ".opencode/cache/hook-compat/**", "control-plane.toml",
    ),
    exclusions=(".opencode/control-plane/reports/**",),
    message="{file_path} belongs to the guardrails; ask a person to change it.",
    on_error="block",
)  # fmt: skip


def with_own(rules: RuleSet) -> RuleSet:
    """Ours come on top of a project's, and cannot be replaced by a rule of the same name."""
    return rule_set([*(rule for rule in rules.rules if rule.name != OWN.name), OWN], list(rules.problems))


class Matcher:
    """Compiled once for each version; asking it changes nothing."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.by_name = {rule.name: rule for rule in rules.rules}
        self.overrides = tuple(sorted({rule.env_override for rule in rules.rules if rule.env_override}))
        numbered = list(enumerate(rules.rules))
        self._everywhere = {number for number, rule in numbered if rule.paths == ()}
        paths = [(number, glob_expression(glob)) for number, rule in numbered for glob in rule.paths or ()]
        self._keeps = [rule.enforcement is Decision.BLOCK and bool(rule.paths) for rule in rules.rules]
        self._paths = Bundle(paths, ignore_case=True, dot_all=True)
        excluded = [(number, glob_expression(glob)) for number, rule in numbered for glob in rule.exclusions]
        self._excluded = Bundle(excluded, ignore_case=True, dot_all=True)
        self._contents = {
            number: Bundle([(number, text) for text in rule.contents]) for number, rule in numbered if rule.contents
        }
        words = [(number, literal(word)) for number, rule in numbered for word in rule.keywords]
        intents = [(number, text) for number, rule in numbered for text in rule.intents]
        self._words = Bundle(words, ignore_case=True)
        self._intents = Bundle(intents, ignore_case=True)
        self._files = lru_cache(maxsize=4096)(self._match_path)

    def files(self, path: str) -> frozenset[int]:
        """The numbers of the rules whose paths this one meets."""
        return self._files(path)

    def guards(self, path: str) -> bool:
        """Whether a rule that blocks keeps this very path, not every path."""
        return any(self._keeps[number] for number in self.files(path))

    def contents(self, numbers: frozenset[int], text: str) -> tuple[str, ...]:
        """Of these rules, those whose content patterns match."""
        wanted = [number for number in numbers if number in self._contents]
        if not wanted:
            return ()
        encoded = text.encode("utf-8", "replace")
        return tuple(sorted(self.rules.rules[n].name for n in wanted if self._contents[n].hits(encoded)))

    def prompt(self, text: str) -> tuple[str, ...]:
        encoded = text.encode("utf-8", "replace")
        found = self._words.hits(encoded) | self._intents.hits(encoded)
        return tuple(sorted(self.rules.rules[number].name for number in found))

    def _match_path(self, path: str) -> frozenset[int]:
        encoded = path.encode("utf-8", "surrogateescape")
        found = self._everywhere | self._paths.hits(encoded)
        return frozenset(found - self._excluded.hits(encoded) if found else found)


@lru_cache(maxsize=16)
def matcher_of(rules: RuleSet) -> Matcher:
    return Matcher(rules)
