"""Which files a patch touches, in the two shapes that agents use."""

import re

_BLOCK = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$", re.MULTILINE)
_HEAD = re.compile(r"^(?:(?:\+\+\+|---) (\S[^\t\n]*)|rename (?:to|from) (.+)|copy to (.+)|Index: (.+))", re.MULTILINE)
_GIT = re.compile(r"^diff --git \"?(a/.+?)\"? \"?(b/.+?)\"?$", re.MULTILINE)


def patched_files(text: str, strip: int = 1) -> list[tuple[str, str]]:
    """Each file that the patch names, with every line that the patch adds anywhere."""
    added = "\n".join(line[1:] for line in text.splitlines() if line.startswith("+") and not line.startswith("+++"))
    named = [next(filter(None, found)).strip() for found in _BLOCK.findall(text)]
    heads = [next(filter(None, found)).strip().strip('"') for found in _HEAD.findall(text)]
    heads += [path for pair in _GIT.findall(text) for path in pair]
    for path in heads:
        if path != "/dev/null":
            named += _stripped(path, strip)
    return [(path, added) for path in dict.fromkeys(named)]


def _stripped(path: str, strip: int) -> list[str]:
    parts = path.split("/")
    shorter = "/".join(parts[strip:])
    return [path, shorter] if shorter and parts[0] in ("a", "b") else [shorter or path, path]
