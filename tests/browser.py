"""Finds Debian's Chromium for the tests of the dashboard, and installs it where it is missing and root may.

Run once by the set-up of `make test`. Where it cannot be installed that is no failure here: the tests that need it
count themselves among those that could not run.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LONGEST_S = 300


def chromium() -> str | None:
    """Where it is; `CHROMIUM` names another one."""
    return os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> str:
    """What came of it, in words."""
    if found := chromium():
        return f"chromium: {found}"
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return (
            "chromium: not found, and it takes root and apt-get to install it; the tests of the dashboard will not run"
        )
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
        try:
            done = subprocess.run(
                ["apt-get", *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=LONGEST_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"chromium: `apt-get {words[0]}` took longer than {LONGEST_S} s"
        if done.returncode and words[0] == "install":
            return f"chromium: could not be installed: {done.stderr.strip()[-300:]}"
    return f"chromium: {chromium()}"


if __name__ == "__main__":
    print(install())
