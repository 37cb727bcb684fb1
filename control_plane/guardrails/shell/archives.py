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
    if name in ("tar", "bsdtar"):
        mode = "".join(word.lstrip("-") for word in words[1:2]) + "".join(
            word for word in words if word.startswith("--")
        )
        packed = packed or next((w for w in rest[1:] if w), "")
        if "c" in mode and "x" not in mode.partition("--")[0]:
            reader.write(packed, None, "tar")
            return None
        if "x" not in mode:
            return None
    if name == "unzip" and any(re.match(r"^-[a-z]*[ltpvzZ]", word) for word in words[1:]):
        return None
    folder = options.get("-C") or options.get("--directory") or (options.get("-d") if name != "tar" else None) or "."
    members = _members(reader.world.absolute(packed, call.cwd)) if packed and UNKNOWN not in packed else None
    if members is None:
        reader.write(folder, None, name, tree=True)
    for member in members or []:
        reader.write(os.path.join(folder, member), None, name)
    return None


def _members(path: str) -> list[str] | None:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                return packed.namelist()[:2000]
        with tarfile.open(path) as tar:
            return [member.name for _, member in zip(range(2000), tar, strict=False)]
    except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile):
        return None
