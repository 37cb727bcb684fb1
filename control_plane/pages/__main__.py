"""`python -m control_plane.pages` writes every generated page into the project that this folder is the top of."""

from pathlib import Path

from . import PAGES

if __name__ == "__main__":
    for name, written in PAGES.items():
        Path(name).write_text(written(), encoding="utf-8")
