"""The environment as others may know it: a caller elsewhere, and the programs that stop checks run."""

from collections.abc import Collection, Mapping

from .shell.world import UNKNOWN

# What everybody's shell holds, and no secret.
PLAIN = frozenset((
    "PATH", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "TMP",
    "TEMP", "CI", "NO_COLOR", "FORCE_COLOR", "VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_ROOT", "NVM_DIR", "NVM_BIN",
    "PNPM_HOME", "BUN_INSTALL", "GOPATH", "GOROOT", "GOCACHE", "CARGO_HOME", "RUSTUP_HOME", "JAVA_HOME",
    "ANDROID_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
    "SYSTEMROOT",
))  # fmt: skip
BRAKES = frozenset(("OPENCODE_ENFORCEMENT_MODE", "OPENCODE_ENFORCE_FAMILIES", "OPENCODE_STOP_CHECK_MODE"))


def plain(environment: Mapping[str, str]) -> dict[str, str]:
    """What a program needs to run, and none of the keys that stand beside it."""
    return {name: value for name, value in environment.items() if name in PLAIN or name.startswith("LC_")}


def for_elsewhere(own: Mapping[str, str], told: Mapping[str, str], overrides: Collection[str]) -> dict[str, str]:
    """Our own environment with a caller's brakes and overrides; our other values stay unknown to it."""
    shared = plain(own) | {name: value for name, value in own.items() if name in BRAKES or name in overrides}
    kept = {name: value for name, value in told.items() if name in BRAKES or name in overrides}
    return dict.fromkeys(own, UNKNOWN) | shared | kept
