"""What these guardrails do not see; said wherever they are shown, so that nobody takes them for more."""

NOT_COVERED = (
    "programs that are compiled, or that write by themselves while they build, test or serve: make, cargo, go, "
    "pytest, bundlers, code generators, git hooks, install scripts",
    "scripts larger than 256 KiB, and scripts that are fetched and run in another call",
    "what another process writes: a daemon, cron, an editor, a container, a machine reached over ssh",
    "what git brings back from its own commits and stashes: merge, pull, rebase, cherry-pick, revert, stash, switch",
    "linters and formatters that run over a whole folder of which only a part is guarded, or over files that another "
    "program lists (`git diff --name-only | xargs prettier --write`); folders without files",
    "programs that are not known to us and are told of a guarded place by a name that only the running command knows, "
    "or by none: a list that another program prints, a file of settings, a default",
    "files that are swapped for links between the check and the write",
    "tools of MCP servers that write under a name that does not say so",
    "interpreters other than shells, Python, Node, Deno, Bun, Ruby, Perl, PHP, Lua, R and awk",
    "sessions of OpenCode's second generation (`/api/session`), which call no plugin hook",
    "calls whose working folder lies outside the project",
    "an agent that reads the home's token and calls the HTTP routes with it",
    "reading: nothing is stopped from being read",
)
