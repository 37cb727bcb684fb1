"""The public `skill-rules.json` format: what loads, how it matches, and what is said of its faults."""

import json
from pathlib import Path
from typing import Any

import pytest

from control_plane.guardrails import loading
from control_plane.guardrails.errors import RulesUnreadable
from control_plane.guardrails.loading import RuleFiles
from control_plane.guardrails.matching import matcher_of
from control_plane.guardrails.rulefile import RuleSet, read_rules
from control_plane.guardrails.terms import Decision
from tests.guardrails.conftest import write_rules
from tests.guardrails.ground import Judge

# As projects of the showcase write it: every key of the format once.
SHOWCASE: dict[str, Any] = {
    "version": "1.0",
    "description": "Skill activation triggers for Claude Code",
    "skills": {
        "backend-dev-guidelines": {
            "type": "domain",
            "enforcement": "suggest",
            "priority": "high",
            "description": "Backend development patterns for Node.js, Express and TypeScript",
            "promptTriggers": {
                "keywords": ["backend", "API endpoint", "middleware"],
                "intentPatterns": [
                    "(create|add|implement|build).*?(route|endpoint|API|controller|service)",
                    "(fix|handle|debug).*?(error|exception|bug)",
                ],
            },
            "fileTriggers": {
                "pathPatterns": ["blog-api/src/**/*.ts", "auth/**/*.ts"],
                "pathExclusions": ["**/*.test.ts", "**/*.spec.ts"],
                "contentPatterns": ["router\\.", "app\\.(get|post|put|delete|patch)", "export.*Controller"],
            },
        },
        "frontend-dev-guidelines": {
            "type": "guardrail",
            "enforcement": "block",
            "priority": "critical",
            "description": "React and MUI v7",
            "promptTriggers": {"keywords": ["component"], "intentPatterns": ["(create|add).*?component"]},
            "fileTriggers": {
                "pathPatterns": ["frontend/src/**/*.tsx"],
                "pathExclusions": ["**/*.test.tsx"],
                "contentPatterns": ["from '@mui/", "import.*React"],
                "createOnly": False,
            },
            "blockMessage": "BLOCKED\n\nUse the skill first.\nFile: {file_path}",
            "skipConditions": {
                "sessionSkillUsed": True,
                "fileMarkers": ["@skip-validation"],
                "envOverride": "SKIP_FRONTEND_GUIDELINES",
            },
        },
        "database-verification": {
            "type": "guardrail",
            "enforcement": "warn",
            "priority": "critical",
            "promptTriggers": {"keywords": ["prisma"]},
            "fileTriggers": {"pathPatterns": ["**/migrations/**/*.sql"], "createOnly": True},
        },
    },
    "notes": {"usage": "read by the hooks", "enforcement_levels": {"suggest": "a hint"}},
}


def rules_of(**skill: Any) -> RuleSet:
    return read_rules(json.dumps({"version": "1.0", "skills": {"a-rule": skill}}).encode())


@pytest.mark.requirement("GUARD-38")
def test_the_showcase_loads_without_a_problem():
    rules = read_rules(json.dumps(SHOWCASE).encode())
    assert (rules.problems, len(rules.rules)) == ((), 3)
    front = next(rule for rule in rules.rules if rule.name == "frontend-dev-guidelines")
    assert (front.family, front.kind, front.enforcement, front.markers, front.env_override) == (
        "frontend", "guardrail", Decision.BLOCK, ("@skip-validation",), "SKIP_FRONTEND_GUIDELINES",
    )  # fmt: skip


@pytest.mark.requirement("GUARD-38")
def test_the_showcase_behaves_as_it_says(tmp_path):
    (tmp_path / "db/migrations/1").mkdir(parents=True)
    (tmp_path / "db/migrations/1/up.sql").write_text("old")
    judge = Judge(tmp_path, SHOWCASE)

    def would(path: str, content: str, **past: Any) -> str:
        return judge("Write", file_path=path, content=content, **past).would.value

    assert would("frontend/src/a/B.tsx", "import React from 'react'") == "block"
    assert would("frontend/src/B.tsx", "import React from 'react'") == "block", "**/ is also no folder at all"
    assert would("FRONTEND/src/B.TSX", "import React from 'react'") == "block", "case does not matter"
    assert would("frontend/src/a/B.tsx", "export const b = 1") == "allow", "no content pattern matches"
    assert would("frontend/src/a/B.test.tsx", "import React") == "allow", "exclusions come first"
    assert would("x/frontend/src/a/B.tsx", "import React") == "allow", "globs are anchored"
    assert would("auth/x.ts", "router.get('/')") == "suggest"
    assert would("db/migrations/2/up.sql", "new") == "warn", "createOnly, and it is new"
    assert would("db/migrations/1/up.sql", "new") == "allow", "createOnly, and it is there"
    matcher = judge.matcher
    assert matcher.prompt("please ADD a new api ENDPOINT") == ("backend-dev-guidelines",)
    assert matcher.prompt("create a fancy component") == ("frontend-dev-guidelines",)
    assert matcher.prompt("nothing of that") == ()


def test_a_prompt_matches_a_keyword_as_a_part_of_a_word_and_an_intent_as_a_pattern():
    matcher = matcher_of(
        rules_of(promptTriggers={"keywords": ["c++", "Form"], "intentPatterns": ["add.*thing"]}, type="domain")
    )
    assert [bool(matcher.prompt(text)) for text in ("a C++ file", "reformat", "add a thing", "thing add")] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("src/*.ts", ["src/a.ts"], ["src/a/b.ts", "src/a.tsx", "a/src/a.ts"]),
        ("src/**/*.ts", ["src/a.ts", "src/a/b/c.ts"], ["srcx/a.ts"]),
        ("src/**", ["src/a", "src/a/b"], ["src"]),
        ("**/x[1].(ts)", ["x[1].(ts)", "a/x[1].(ts)"], ["x1.ts"]),
        ("a.b", ["a.b"], ["axb"]),
        ("./a", ["a"], []),
    ],
)
def test_globs_mean_what_the_format_says(glob, yes, no):
    matcher = matcher_of(rules_of(fileTriggers={"pathPatterns": [glob]}))
    assert all(matcher.files(path) for path in yes)
    assert not any(matcher.files(path) for path in no)


def test_no_patterns_at_all_match_every_file_and_no_trigger_matches_none():
    assert matcher_of(rules_of(fileTriggers={"pathPatterns": []})).files("anything")
    assert not matcher_of(rules_of(promptTriggers={"keywords": ["x"]})).files("anything")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"{}", b'{"skills": []}', b'{"skills": {"a": {}, "a": {}}}', b"\xff\xfe", b"[" * 100_000,
     b'{"skills": {}}' + b" " * (1 << 20)],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_never_empty(text):
    with pytest.raises(RulesUnreadable):
        read_rules(text)


def test_a_broken_pattern_is_reported_and_stands_for_what_on_error_says():
    wrong = {"type": "guardrail", "enforcement": "block", "fileTriggers": {"contentPatterns": ["("]}}
    rules = rules_of(**wrong)
    assert [(problem.rule, problem.fatal) for problem in rules.problems] == [("a-rule", True)]
    lax, firm = (matcher_of(one) for one in (rules, rules_of(**wrong, onError="block")))
    assert lax.contents(lax.files("x"), "anything") == ()
    assert firm.contents(firm.files("x"), "anything") == ("a-rule",)


@pytest.mark.parametrize(
    "skill",
    [{"fileTriggers": {"contentPatterns": ["(?=a)b"]}}, {"fileTriggers": {"contentPatterns": ["(a)\\1"]}},
     {"promptTriggers": {"intentPatterns": ["a" * 2001]}}],
)  # fmt: skip
def test_what_needs_backtracking_is_said_at_load(skill):
    assert rules_of(**skill).fatal


def test_unknown_words_are_told_and_an_unknown_enforcement_is_the_hardest():
    rules = rules_of(enforcement="forbid", surprise=1)
    assert {problem.what.partition(" ")[0] for problem in rules.problems} == {"unknown", "enforcement"}
    assert rules.rules[0].enforcement is Decision.BLOCK


def test_of_two_files_the_harder_rule_stays_and_ours_cannot_be_replaced(tmp_path):
    soft = {"skills": {"a-rule": {"enforcement": "suggest", "fileTriggers": {"pathPatterns": ["**"]}},
                       "guard-self": {"enforcement": "suggest", "fileTriggers": {"pathPatterns": ["nothing"]}}}}  # fmt: skip
    hard = {"skills": {"a-rule": {"enforcement": "block", "fileTriggers": {"pathPatterns": ["**"]}}}}
    write_rules(tmp_path, soft)
    (tmp_path / ".opencode").mkdir()
    (tmp_path / loading.PLACES[1]).write_text(json.dumps(hard))
    loaded = RuleFiles(str(tmp_path)).look(known=False)
    assert loaded is not None
    assert loaded.rules is not None
    by_name = {rule.name: rule for rule in loaded.rules.rules}
    assert by_name["a-rule"].enforcement is Decision.BLOCK
    assert by_name["guard-self"].enforcement is Decision.BLOCK
    assert Path(".claude/settings.json").as_posix() not in by_name["guard-self"].exclusions
    assert matcher_of(loaded.rules).files(".claude/settings.json")


def test_the_version_names_the_content_not_how_it_is_written():
    one = read_rules(json.dumps(SHOWCASE).encode())
    other = read_rules(json.dumps(SHOWCASE, indent=4, sort_keys=True).encode())
    assert one.version == other.version
    assert rules_of(enforcement="warn").version != rules_of(enforcement="block").version
