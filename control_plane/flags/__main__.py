"""`python -m control_plane.flags [example|table]` prints flags.env.example or docs/flags.md."""

import sys

from .pages import example, table

PAGES = {"example": example, "table": table}

if __name__ == "__main__":
    sys.stdout.write(PAGES[sys.argv[1] if len(sys.argv) > 1 else "example"]())
