"""Keys, logs and copies of what people did belong into nobody's commit."""

import contextlib
from pathlib import Path


def unlist(folder: Path) -> None:
    """Git passes over a folder that says so itself; a `.gitignore` that somebody wrote there stays as it is."""
    # Where nothing can be written, nothing new has to be hidden.
    with contextlib.suppress(OSError), (folder / ".gitignore").open("x", encoding="utf-8") as file:
        file.write("*\n")
