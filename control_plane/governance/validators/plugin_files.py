"""Where a repository keeps what OpenCode loads, and which hooks OpenCode calls."""

import re
from pathlib import Path

OPENCODE = tuple(
    f"{folder}opencode.{ending}" for folder in ("opencode-config/", "", ".opencode/") for ending in ("json", "jsonc")
)
STATE = ".opencode/plugin-runtime-state.json"
MANIFESTS = (".opencode/package.json", "opencode-config/package.json", "package.json")
PACKAGES = ("opencode-ai", "@opencode-ai/plugin", "@opencode-ai/sdk")
FOLDERS = tuple(f"{folder}{name}" for folder in (".opencode/", "opencode-config/") for name in ("plugin", "plugins"))
SOURCES = (".js", ".mjs", ".ts")

# The first generation of OpenCode, up to 1.x; the second one runs none of its plugins.
NEWEST_GENERATION = 1
HOOKS = frozenset(
    (
        "chat.headers", "chat.message", "chat.params", "command.execute.before", "experimental.chat.messages.transform",
        "experimental.chat.system.transform", "experimental.compaction.autocontinue",
        "experimental.provider.small_model", "experimental.session.compacting", "experimental.text.complete",
        "shell.env", "tool.definition", "tool.execute.after", "tool.execute.before",
    )
)  # fmt: skip
# They are in the types, and nothing calls them.
NEVER_CALLED = frozenset(("permission.ask",))

# A quoted name with a dot that stands for a function: `"chat.message": async (…)` or `async "chat.message"(…)`.
_HOOK = re.compile(
    r"""['"]([a-z_]+(?:\.[a-z_]+)+)['"]\s*(?::\s*(?:async\b|function\b|\([^()]*\)\s*=>|[A-Za-z_$][\w$]*\s*=>)|\([^()]*\)\s*\{)"""
)
_COMMENT = re.compile(r"^\s*//[^\n]*|/\*.*?\*/", re.DOTALL | re.MULTILINE)
_VERSION = re.compile(r"\d+")


def hooks_in(source: str) -> list[str]:
    return list(dict.fromkeys(_HOOK.findall(_COMMENT.sub("", source))))


def without_version(entry: str) -> str:
    """`@scope/name@1.2.3` and `name@latest` without what follows the last @; an address stays as it is."""
    if entry.startswith(("file:", "/", ".", "~")):
        return entry
    at = entry.rfind("@")
    return entry[:at] if at > 0 else entry


def generation(version: str) -> int | None:
    """The major version that a range such as ^1.18.33 asks for."""
    found = _VERSION.search(version)
    return int(found[0]) if found else None


def file_of(entry: str, beside: Path) -> Path | None:
    """The file that an entry names, when it names one."""
    if entry.startswith("file://"):
        path = Path(entry.removeprefix("file://"))
        return path if path.is_absolute() else beside / path
    if entry.startswith((".", "/")):
        return beside / entry
    return None
