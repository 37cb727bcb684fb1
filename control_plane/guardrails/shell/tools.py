"""Programs of the shell's everyday life: what they print, and which files they write."""

import os
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from .archives import squeeze, unpack
from .launching import alias, fed_later, multiplexer, spawned, substitute_user
from .options import split_options
from .programs import Program, printed_by_echo, printed_by_printf
from .scripting import sed
from .searching import fd, find
from .versions import git, patch
from .world import UNKNOWN, Leaves

if TYPE_CHECKING:
    from .reader import Call, Reader


def _echo(reader: "Reader", call: "Call") -> str | None:
    return printed_by_echo(call.words[1:])


def _printf(reader: "Reader", call: "Call") -> str | None:
    words = call.words[1:]
    if words[:1] == ["-v"] and len(words) > 2:
        reader.assign(words[1], [printed_by_printf(words[2:])])
        return ""
    return printed_by_printf(words[1:] if words[:1] == ["--"] else words)


def _cat(reader: "Reader", call: "Call") -> str | None:
    _, files = split_options(call.words)
    texts = [call.stdin if file == "-" else reader.file(file, call.cwd)[0] for file in files] if files else [call.stdin]
    return "".join(text for text in texts if text is not None) if all(t is not None for t in texts) else None


def _cd(reader: "Reader", call: "Call") -> str | None:
    _, rest = split_options(call.words)
    place = rest[0] if rest else reader.world.environment.get("HOME", "/")
    if UNKNOWN in place:
        reader.opaque.append("the command goes to a folder that only it knows")
    else:
        before, reader.cwd = reader.cwd, reader.before if place == "-" else reader.world.absolute(place, reader.cwd)
        reader.before = before
    return ""


def _declare(reader: "Reader", call: "Call") -> str | None:
    for word in call.words[1:]:
        name, sign, value = word.partition("=")
        if sign and name.isidentifier():
            reader.assign(name, [value])
    return ""


def _read(reader: "Reader", call: "Call") -> str | None:
    _, names = split_options(call.words, ("-d", "-n", "-t", "-u", "-p", "-N", "-i"))
    lines = (call.stdin if call.stdin is not None else UNKNOWN).splitlines() or [""]
    for name in names or ["REPLY"]:
        values = [*lines, *(word for line in lines for word in line.split())] if len(names) > 1 else lines
        for value in values[:64]:
            reader.assign(name, [value])
    return ""


def _read_lines(reader: "Reader", call: "Call") -> str | None:
    _, names = split_options(call.words, ("-d", "-n", "-O", "-s", "-u", "-C", "-c"))
    lines = (call.stdin if call.stdin is not None else UNKNOWN).splitlines()
    reader.words.variables[names[0] if names else "MAPFILE"] = lines[:64] or [""]
    return ""


def _set(reader: "Reader", call: "Call") -> str | None:
    if "--" in call.words:
        reader.words.positional = ["sh", *call.words[call.words.index("--") + 1 :]]
    return ""


def _eval(reader: "Reader", call: "Call") -> str | None:
    return reader.script(" ".join(call.words[1:]))


def _trap(reader: "Reader", call: "Call") -> str | None:
    return reader.script(call.words[1]) if len(call.words) > 2 else ""


def _tee(reader: "Reader", call: "Call") -> str | None:
    options, files = split_options(call.words)
    leaves = Leaves.LONGER if any(one == "--append" or re.match(r"^-\w*a", one) for one in options) else Leaves.CONTENT
    for file in files:
        reader.write(file, call.stdin, os.path.basename(call.words[0]), leaves=leaves)
    return call.stdin


_NOT_THE_TEXT = frozenset(("chmod", "chown", "chgrp", "chattr", "setfacl", "setfattr", "attr"))


def _operands(via: str, *, content: bool = False, valued: Collection[str] = ()) -> Program:
    """Writes every file that it is given."""

    leaves = Leaves.AS_IT_WAS if via in _NOT_THE_TEXT else Leaves.CHANGED

    def program(reader: "Reader", call: "Call") -> str | None:
        for file in split_options(call.words, valued)[1]:
            seen = " ".join(call.words) if content else None
            reader.write(file, seen, via, tree=_folder(reader, call, file), leaves=leaves)
        return None

    return program


def _folder(reader: "Reader", call: "Call", path: str) -> bool:
    return UNKNOWN not in path and reader.world.is_folder(reader.world.absolute(path, call.cwd))


def _touch(reader: "Reader", call: "Call") -> str | None:
    for file in split_options(call.words, ("-d", "-r", "-t", "-s", "-m", "--size", "--reference"))[1]:
        reader.write(file, "", call.words[0], leaves=Leaves.AS_IT_WAS)
    return ""


def _remove(reader: "Reader", call: "Call") -> str | None:
    for file in split_options(call.words)[1]:
        reader.write(file, "", "rm", tree=_folder(reader, call, file))
    return ""


def _copy(reader: "Reader", call: "Call") -> str | None:
    """cp, mv, install, ln, rsync, scp: the last word, or the folder of `-t`, and for mv and ln the sources too."""
    name = os.path.basename(call.words[0])
    options, files = split_options(call.words, ("-t", "--target-directory", "-S", "-m", "-o", "-g", "-e", "--exclude"))
    files, into = _sources_and_place(name, options, files)
    takes = name in ("mv", "ln", "rename")
    soft = name == "ln" and any(option.startswith("-") and "s" in option.lstrip("-") for option in options)
    for source in files:
        content = reader.file(source, call.cwd)[0] if UNKNOWN not in source else None
        tree = _folder(reader, call, source)
        if takes:
            reader.write(source, content, name, tree=tree)
        inside = _folder(reader, call, into) or into.endswith("/")
        place = os.path.join(into, os.path.basename(source.rstrip("/"))) if inside else into
        if source.endswith(("/", "/.")) and name in ("rsync", "cp"):
            place = into
        elif {"--parents", "-R", "--relative"} & options.keys() and name in ("rsync", "cp"):
            reader.mention(os.path.join(into, source), name)
        if name == "rsync" and (any(option.startswith("--del") for option in options) or source.endswith("/") > tree):
            reader.write(into, None, name, tree=True)
        if tree:
            _tree(reader, call, source, place, name)
        reader.write(place, content, name)
        if soft:
            reader.link(place, source)
        if not inside and len(files) > 1:
            reader.write(os.path.join(into, os.path.basename(source)), content, name)
    return ""


def _sources_and_place(name: str, options: dict[str, str], files: list[str]) -> tuple[list[str], str]:
    folder = options.get("-t") or options.get("--target-directory")
    if folder is not None:
        return files, folder
    if name == "ln" and len(files) == 1:
        return files, "."
    if len(files) < 2 or (name == "install" and "-d" in options):
        return [], ""
    return files[:-1], files[-1]


def _tree(reader: "Reader", call: "Call", source: str, place: str, name: str) -> None:
    root = reader.world.absolute(source, call.cwd)
    if not reader.world.holds(root):
        reader.write(place, None, name, tree=True)
    for file in reader.world.files_under(root):
        reader.write(os.path.join(place, os.path.relpath(file, root)), reader.world.read(file), name)


def _dd(reader: "Reader", call: "Call") -> str | None:
    for word in call.words[1:]:
        if word.startswith("of="):
            reader.write(word[3:], call.stdin, "dd")
    return None


def _output(*flags: str) -> Program:
    """Writes the file behind one of these flags."""

    def program(reader: "Reader", call: "Call") -> str | None:
        options, _ = split_options(call.words, flags)
        for flag in flags:
            if options.get(flag):
                reader.write(options[flag], None, os.path.basename(call.words[0]))
        return None

    return program


def _fetch(reader: "Reader", call: "Call") -> str | None:
    options, rest = split_options(
        call.words, ("-o", "--output", "-O", "--output-document", "-H", "-d", "-X", "--output-dir", "-P", "-u", "-D", "-A", "-T")
        if os.path.basename(call.words[0]) != "curl" else
        ("-o", "--output", "-H", "-d", "-X", "--output-dir", "-u", "-D", "-A", "-T", "-F", "-b", "-c", "-e")
    )  # fmt: skip
    folder = options.get("--output-dir") or options.get("-P") or "."
    for flag in ("-o", "--output", "--output-document", "-O", "-D", "-c"):
        if options.get(flag):
            reader.write(os.path.join(folder, options[flag]), None, call.words[0])
    remote = os.path.basename(call.words[0]) == "wget" or any(
        re.match(r"^-[a-zA-Z]*O", word) for word in call.words[1:]
    )
    if remote:
        for address in rest:
            reader.write(os.path.join(folder, address.rstrip("/").rpartition("/")[2]), None, call.words[0])
    return None


def _formatter(*switches: str, without: tuple[str, ...] = ()) -> Program:
    """A tool that rewrites the files it is given when one of these switches is there (or always when there is none)."""

    def program(reader: "Reader", call: "Call") -> str | None:
        words = call.words
        if (switches and not set(switches) & set(words)) or set(without) & set(words):
            return None
        for file in split_options(words, ("-c", "--config", "--config-file", "-l", "--line-length"))[1]:
            if UNKNOWN in file:
                # Files that nobody named are formatted as with the whole folder.
                continue
            if reader.world.is_folder(reader.world.absolute(file, call.cwd)):
                # One that runs over a whole folder says nothing new in it, unless all of that folder is guarded.
                reader.write(os.path.join(file, "any"), None, os.path.basename(words[0]))
                continue
            reader.write(file, " ".join(words), os.path.basename(words[0]), leaves=Leaves.CHANGED)
        return None

    return program


def second(reader: "Reader", call: "Call") -> str | None:
    """Writes the second file that it is given, else prints."""
    _, files = split_options(call.words, ("-l", "-s", "-c", "-g", "-o"))
    if len(files) > 1:
        prefix = "aa" if os.path.basename(call.words[0]) == "split" else ""
        reader.write(files[1] + prefix, None, os.path.basename(call.words[0]))
    return UNKNOWN


def _last(reader: "Reader", call: "Call") -> str | None:
    """Reads its other files and writes the last one."""
    _, files = split_options(call.words, ("-i", "-f", "-c", "-vf", "-af", "-t", "-ss", "-r", "-s", "-b", "-map"))
    if files:
        reader.write(files[-1], None, os.path.basename(call.words[0]))
    return None


def _make_temporary(reader: "Reader", call: "Call") -> str | None:
    _, shapes = split_options(call.words, ("-p", "--tmpdir", "--suffix"))
    for shape in shapes:
        reader.write(shape, "", "mktemp")
    return "/tmp/made-by-mktemp\n"


def _direnv(reader: "Reader", call: "Call") -> str | None:
    if call.words[1:2] == ["edit"]:
        reader.write(call.words[2] if len(call.words) > 2 else ".envrc", None, "direnv")
    return "\n"


def _desktop(reader: "Reader", call: "Call") -> str | None:
    verb, rest = call.words[1:2], ["gio", *call.words[2:]]
    if verb and verb[0] in ("trash", "remove", "move", "rename", "copy", "save", "set", "mkdir"):
        return _operands("gio")(reader, call._replace(words=rest))
    return None


def _keygen(reader: "Reader", call: "Call") -> str | None:
    reads = any(re.match(r"^-[lyeBFHRvs]", word) for word in call.words[1:])
    return None if reads else _output("-f")(reader, call)


def _pack(reader: "Reader", call: "Call") -> str | None:
    """zip, which with -m takes away what it packs."""
    options, files = split_options(call.words, ("-x", "-i", "-n", "-t", "-tt", "-b", "-P"))
    for file in files[:1]:
        reader.write(file, None, "zip")
    if any(re.match(r"^(?:--move|-[a-zA-Z0-9]*m)", option) for option in options):
        for file in files[1:]:
            reader.write(file, None, "zip -m", tree=_folder(reader, call, file))
    return None


def _socket(reader: "Reader", call: "Call") -> str | None:
    for word in call.words[1:]:
        for file in re.findall(r"(?:^|!!)(?:FILE|OPEN|CREATE|CREAT|GOPEN|PIPE):([^,!]+)", word, re.IGNORECASE):
            reader.write(file, None, "socat")
    return None


def _filter() -> Program:
    """Prints something that follows from its input, which we do not work out."""

    def program(reader: "Reader", call: "Call") -> str | None:
        return UNKNOWN if call.stdin or len(call.words) > 1 else None

    return program


def _says(text: str) -> Program:
    return lambda reader, call: text + "\n"


def _base(reader: "Reader", call: "Call") -> str | None:
    _, rest = split_options(call.words)
    made = os.path.dirname if os.path.basename(call.words[0]) == "dirname" else os.path.basename
    return (made(rest[0].rstrip("/")) or ".") + "\n" if rest else None


def _realpath(reader: "Reader", call: "Call") -> str | None:
    _, rest = split_options(call.words)
    return "\n".join(reader.world.absolute(one, call.cwd) for one in rest if UNKNOWN not in one) + "\n"


def _which(reader: "Reader", call: "Call") -> str | None:
    return (call.words[-1] if len(call.words) > 1 else "") + "\n"


def _list(reader: "Reader", call: "Call") -> str | None:
    _, rest = split_options(call.words)
    out: list[str] = []
    for one in rest or ["."]:
        place = reader.world.absolute(one, call.cwd) if UNKNOWN not in one else ""
        if not place or not reader.world.is_folder(place):
            out.append(one)
        elif reader.world.holds(place):
            out += sorted(os.path.basename(path) for path in reader.world.matches(os.path.join(place, "*")))
        else:
            out.append(UNKNOWN)
    return "\n".join(out) + "\n"


def _control_plane(reader: "Reader", call: "Call") -> str | None:
    """Commands that loosen the guardrails are a person's, not an agent's."""
    words = [word for word in call.words if not word.startswith("-")]
    if "guard" in words:
        verb = words[words.index("guard") + 1 : words.index("guard") + 2]
        if verb and (verb[0] in ("off", "promote", "demote", "label", "stop-mode") or (verb[0] in ("tune", "install") and len(words) > 2)
                     or "--remove" in call.words or "--apply" in call.words):  # fmt: skip
            reader.write(
                os.path.join(reader.world.project, ".opencode/control-plane/guard", verb[0]),
                None,
                "control-plane guard",
            )
    return None


PROGRAMS: dict[str, Program] = {
    "echo": _echo, "printf": _printf, "cat": _cat, "cd": _cd, "pushd": _cd, "alias": alias, "export": _declare, "declare": _declare,
    "local": _declare, "readonly": _declare, "typeset": _declare, "read": _read, "mapfile": _read_lines, "readarray": _read_lines,
    "set": _set, "eval": _eval, "trap": _trap, "tee": _tee, "sponge": _tee, "touch": _touch, "truncate": _touch,
    "rm": _remove, "unlink": _remove, "rimraf": _remove, "del-cli": _remove, "del": _remove, "wipe": _remove, "trash-put": _remove, "rmdir": _remove, "shred": _remove, "srm": _remove, "trash": _remove,
    "cp": _copy, "mv": _copy, "install": _copy, "ln": _copy, "link": _copy, "rsync": _copy, "scp": _copy, "dd": _dd,
    "gcp": _copy, "cpy": _copy, "cpy-cli": _copy, "gio": _desktop, "sd": _operands("sd"), "rpl": _operands("rpl"), "gmv": _copy, "gsed": sed, "gtee": _tee, "rename": _operands("rename"), "sed": sed, "find": find, "fd": fd, "fdfind": fd,
    "git": git, "patch": patch, "curl": _fetch, "wget": _fetch, "tar": unpack, "bsdtar": unpack, "unzip": unpack,
    "cpio": unpack, "7z": unpack, "jar": unpack, "ar": unpack, "unrar": unpack, "sort": _output("-o", "--output"), "gcc": _output("-o"), "cc": _output("-o"),
    "openssl": _output("-out", "-keyout"), "gpg": _output("-o", "--output"), "jq": _output(), "pandoc": _output("-o", "--output"),
    "yq": _formatter("-i", "--inplace"), "csplit": _output("-f", "--prefix"), "xmlstarlet": _formatter("--inplace", "-L"),
    "prettier": _formatter("--write", "-w"), "eslint": _formatter("--fix"), "black": _formatter(without=("--check",)),
    "isort": _formatter(without=("--check", "--check-only")), "gofmt": _formatter("-w"), "goimports": _formatter("-w"),
    "rustfmt": _formatter(without=("--check",)), "ruff": _formatter("--fix", "format", without=("--check", "--diff")), "autopep8": _formatter("-i"),
    "yapf": _formatter("-i"), "clang-format": _formatter("-i"), "biome": _formatter("--write"), "dos2unix": _operands("dos2unix"),
    "unix2dos": _operands("unix2dos"), "split": second, "uniq": second, "zip": _pack, "ssh-keygen": _keygen, "sops": _formatter("-i", "--in-place"),
    "direnv": _direnv, "socat": _socket, "uudecode": _output("-o"), "ffmpeg": _last, "sox": _last, "magick": _last,
    "convert": _last, "nano": _operands("nano"), "pico": _operands("pico"), "micro": _operands("micro"), "chmod": _operands("chmod"),
    "chown": _operands("chown"), "chgrp": _operands("chgrp"), "chattr": _operands("chattr"), "mkfifo": _operands("mkfifo"),
    "mknod": _operands("mknod"), "setfacl": _operands("setfacl", valued=("-m", "-x", "-M", "-X")),
    "setfattr": _operands("setfattr", valued=("-n", "-v", "-x")), "attr": _operands("attr", valued=("-s", "-V", "-r")),
    "fallocate": _operands("fallocate", valued=("-l", "-o")), "gzip": squeeze, "gunzip": squeeze, "bzip2": squeeze,
    "bunzip2": squeeze, "xz": squeeze, "unxz": squeeze, "zstd": squeeze, "unzstd": squeeze, "lz4": squeeze, "pigz": squeeze,
    "tmux": multiplexer, "screen": multiplexer, "at": fed_later, "batch": fed_later, "su": substitute_user,
    "expect": spawned,  "base64": _filter(), "xxd": second, "base32": _filter(),
    "tr": _filter(), "rev": _filter(), "cut": _filter(), "head": _filter(), "tail": _filter(),
    "zcat": _filter(), "tac": _filter(), "envsubst": _filter(), "grep": _filter(),
    "pwd": lambda reader, call: call.cwd + "\n", "mktemp": _make_temporary, "date": _says("0"),
    "hostname": _says("host"), "whoami": _says("user"), "uname": _says("Linux"), "nproc": _says("2"), "id": _says("1000"),
    "basename": _base, "dirname": _base, "realpath": _realpath, "readlink": _realpath, "which": _which, "type": _which,
    "ls": _list, "control-plane": _control_plane, "control_plane": _control_plane, "ssh-agent": _says(""),
    "brew": _says(""), "pyenv": _says(""), "rbenv": _says(""), "nodenv": _says(""), "fnm": _says(""),
    "starship": _says(""), "zoxide": _says(""), "conda": _says(""), "mise": _says(""), "true": _says(""), "nvm": _says(""),
}  # fmt: skip
