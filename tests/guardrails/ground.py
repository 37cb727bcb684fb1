"""A small project with guarded files, and the judge that the corpora stand before."""

import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from control_plane.guardrails.deciding import Modes, Past, Verdict, decide
from control_plane.guardrails.matching import Matcher, matcher_of, with_own
from control_plane.guardrails.observing import Call, observe
from control_plane.guardrails.rulefile import read_rules
from control_plane.guardrails.terms import Mode

RULES: dict[str, Any] = {
    "version": "1.0",
    "description": "what this project guards",
    "skills": {
        "database-verification": {
            "type": "guardrail",
            "enforcement": "block",
            "priority": "critical",
            "description": "Check tables and columns before touching the database layer.",
            "promptTriggers": {
                "keywords": ["prisma", "migration"],
                "intentPatterns": ["(add|create).*?(table|column)"],
            },
            "fileTriggers": {
                "pathPatterns": ["src/db/**", "**/migrations/**/*.sql", "prisma/schema.prisma"],
                "pathExclusions": ["**/*.test.ts", "src/db/README.md"],
            },
            "blockMessage": "{file_path} is the database layer. Use the skill database-verification.",
            "skipConditions": {
                "sessionSkillUsed": True,
                "fileMarkers": ["@skip-validation"],
                "envOverride": "SKIP_DB_VERIFICATION",
            },
        },
        "secrets-guard": {
            "type": "guardrail",
            "enforcement": "block",
            "priority": "critical",
            "fileTriggers": {"pathPatterns": ["**/.env", "config/secrets.yaml", "**/*.pem"]},
        },
        "frontend-guidelines": {
            "type": "guardrail",
            "enforcement": "block",
            "priority": "high",
            "fileTriggers": {
                "pathPatterns": ["web/src/**/*.tsx"],
                "contentPatterns": ["from '@mui/[a-z]+'", "makeStyles\\("],
            },
        },
        "docs-style": {
            "type": "domain",
            "enforcement": "suggest",
            "promptTriggers": {"keywords": ["documentation"]},
            "fileTriggers": {"pathPatterns": ["docs/**/*.md"]},
        },
        "api-review": {"type": "domain", "enforcement": "warn", "fileTriggers": {"pathPatterns": ["src/api/**"]}},
    },
}
FILES = {
    "src/db/client.ts": "export const client = 1\n",
    "src/db/README.md": "# db\n",
    "src/db/client.test.ts": "test\n",
    "src/api/users.ts": "export const users = 1\n",
    "src/app.ts": "export const app = 1\n",
    "src/util/text.py": "print('text')\n",
    "prisma/schema.prisma": "model User {}\n",
    "packages/store/migrations/001/up.sql": "create table a();\n",
    "config/secrets.yaml": "key: 1\n",
    "config/app.yaml": "a: 1\n",
    ".env": "KEY=1\n",
    ".env.example": "KEY=\n",
    "certs/server.pem": "---\n",
    "web/src/Button.tsx": "export const Button = 1\n",
    "docs/guide.md": "# guide\n",
    "tests/test_text.py": "def test_text(): pass\n",
    "package.json": '{"scripts": {"test": "jest", "build": "tsc -p .", "evil": "echo x > src/db/client.ts"}}\n',
    "README.md": "# project\n",
    "Makefile": "all:\n\techo all\n",
    "notes.txt": "one\ntwo\n",
    "evil.sh": "#!/bin/sh\necho x > src/db/client.ts\n",
    "evil.py": "open('src/db/client.ts', 'w').write('x')\n",
    "evil.js": "require('fs').writeFileSync('src/db/client.ts', 'x')\n",
    "chmodded": "#!/usr/bin/env python3\nfrom pathlib import Path\nPath('src/db/client.ts').write_text('x')\n",
    "fix.patch": "--- a/src/db/client.ts\n+++ b/src/db/client.ts\n@@ -1 +1 @@\n-export const client = 1\n+export const client = 2\n",
    "good.patch": "--- a/src/app.ts\n+++ b/src/app.ts\n@@ -1 +1 @@\n-export const app = 1\n+export const app = 2\n",
    "good.sh": "#!/bin/sh\nset -e\necho building > build.log\nnpm test\n",
    "good.py": "import sys\nprint(open('src/db/client.ts').read())\n",
    ".claude/settings.json": "{}\n",
}
ENVIRONMENT = {"HOME": "/home/somebody", "PATH": "/usr/bin:/bin", "PROJECT_OUT": "dist"}


def lay_out(project: Path) -> Path:
    for name, text in FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (project / "chmodded").chmod(0o755)
    (project / "evil.sh").chmod(0o755)
    os.symlink("src/db", project / "shortcut")
    os.symlink("client.ts", project / "src/db/alias.ts")
    os.symlink(project / "src/db/client.ts", project / "innocent.ts")
    with tarfile.open(project / "evil.tar", "w") as tar:
        tar.add(project / "src/db/client.ts", "src/db/client.ts")
    with zipfile.ZipFile(project / "evil.zip", "w") as packed:
        packed.write(project / "src/db/client.ts", "src/db/client.ts")
    with tarfile.open(project / "good.tar", "w") as tar:
        tar.add(project / "notes.txt", "vendor/notes.txt")
    rules = project / ".claude/skills/skill-rules.json"
    rules.parent.mkdir(parents=True)
    rules.write_text(json.dumps(RULES))
    subprocess.run(["git", "init", "-q", str(project)], check=True, timeout=30)
    return project


class Judge:
    """Decides about one call as the resident process would, with every family enforced; no log behind it."""

    def __init__(self, project: Path, rules: dict[str, Any] = RULES, modes: Modes | None = None) -> None:
        self.project = str(project)
        self.matcher: Matcher = matcher_of(with_own(read_rules(json.dumps(rules).encode())))
        self.modes = modes or Modes(told=Mode.ENFORCE)

    def __call__(self, tool: str, past: Past | None = None, **arguments: Any) -> Verdict:
        call = Call(tool, arguments, self.project, self.project)
        seen = observe(call, self.matcher, event="PreToolUse", session="s", environment=ENVIRONMENT)
        return decide(self.matcher, self.modes, past or Past(), seen, 1000.0)
