"""Which paths may be written, and that none at all may be deleted."""

from pathlib import Path, PurePosixPath

from .cases import FIXTURES, PROBE, SANDBOX

EVIDENCE = "artifacts/ledger/opencode_dogfood/"
WRITE_ALLOWLIST = (PROBE, SANDBOX, EVIDENCE, "logs/agent_calls/")
DELETE_ALLOWLIST: tuple[str, ...] = ()
# The suite's own files, whatever the list says.
PROTECTED = (FIXTURES, "scripts/opencode_dogfood/schemas/", "scripts/opencode_dogfood/run_suite.py")
# What the suite itself left behind in an earlier run is no pending change.
LEFT_BY_SUITE = (EVIDENCE, "logs/agent_calls/")


def may_write(root: Path, path: str, allowed: tuple[str, ...] = WRITE_ALLOWLIST) -> bool:
    """By name, and by where the name really leads: no traversal, no absolute path, no way through a link."""
    parts = PurePosixPath(path).parts
    if not path or "\\" in path or "\0" in path or path.startswith("/") or ".." in path.split("/"):
        return False
    if _listed(path, PROTECTED) or not _listed(path, allowed):
        return False
    here = root
    for part in parts:
        here = here / part
        if here.is_symlink():
            return False
    return here.resolve().is_relative_to(root.resolve())


def may_delete(path: str) -> bool:
    return _listed(path, DELETE_ALLOWLIST)


def _listed(path: str, names: tuple[str, ...]) -> bool:
    """A name with a slash at its end stands for all that is in the folder."""
    return any(path == name or (name.endswith("/") and path.startswith(name)) for name in names)
