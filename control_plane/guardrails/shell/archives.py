"""Programs that unpack archives: what is in them is what they write."""

import os
import re
import tarfile
import zipfile
from typing import TYPE_CHECKING

from .options import split_options
from .world import UNKNOWN

if TYPE_CHECKING:
    from .reader import Call, Reader


def unpack(reader: "Reader", call: "Call") -> str | None:
    words = call.words
    name = os.path.basename(words[0])
    options, rest = split_options(words, ("-C", "-d", "-f", "--directory", "--file"))
    packed = options.get("-f") or options.get("--file") or next((word for word in rest if "." in word), "")
    if name in ("ar", "unrar"):
        if words[1:2] and "x" in words[1]:
            reader.write(rest[-1] if rest[-1].endswith("/") else ".", None, name, tree=True)
        return None
    if name in ("tar", "bsdtar", "jar") and len(words) > 1:
        clusters = [words[1].lstrip("-"), *[word[1:] for word in words[2:] if re.match(r"^-[a-zA-Z]+$", word)]]
        mode = "".join([*clusters, *[word for word in words if word.startswith("--")]])
        packed = packed or next((w for w in rest[1:] if w), "")
        if "c" in mode and "x" not in mode.partition("--")[0]:
            reader.write(packed, None, name)
            for taken in rest if "--remove-files" in options else ():
                reader.write(taken, None, name, tree=True)
            return None
        if "x" not in mode:
            return None
    if name == "unzip" and any(re.match(r"^-[a-z]*[ltpvzZ]", word) for word in words[1:]):
        return None
    folder = options.get("-C") or options.get("--directory") or (options.get("-d") if name != "tar" else None) or "."
    members = _members(reader, reader.world.absolute(packed, call.cwd)) if packed and UNKNOWN not in packed else None
    if members is None:
        reader.write(folder, None, name, tree=True)
    for member in members or []:
        reader.write(os.path.join(folder, member), None, name)
    return None


def squeeze(reader: "Reader", call: "Call") -> str | None:
    """gzip and its kin: the file goes, and one with another ending comes."""
    name = os.path.basename(call.words[0])
    options, files = split_options(call.words)
    if not files or any(
        re.match(r"^(?:--(?:stdout|to-stdout|test|list)|-[a-zA-Z0-9]*[ctl])", option) for option in options
    ):
        return UNKNOWN
    for file in files:
        reader.write(file, None, name)
        reader.write(re.sub(r"\.(?:gz|bz2|xz|zst|lz4)$", "", file), None, name)
    return ""


def _members(reader: "Reader", path: str) -> list[str] | None:
    if not reader.world.holds(path):
        return None
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                return packed.namelist()[:2000]
        with tarfile.open(path) as tar:
            return [member.name for _, member in zip(range(2000), tar, strict=False)]
    except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile):
        return None
