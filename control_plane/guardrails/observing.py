"""From a tool call to what a decision needs to know about it; the only place that looks at the disk."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from ..redacting import without_secrets
from .events import Observation, Target
from .matching import Matcher
from .shell.effort import TooMuch
from .shell.patches import patched_files
from .shell.reader import read_command
from .shell.walking import LONGEST_PATH
from .shell.world import World, Write, real
from .showing import shown, stands_for
from .terms import Mode

EDITS = {"edit", "multiedit", "write", "patch", "notebookedit", "apply_patch", "applypatch", "str_replace", "create"}
SHELLS = {"bash", "shell", "powershell", "terminal", "run_command", "execute"}
LARGEST_CONTENT, MOST_TARGETS = 1 << 20, 200
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad\ufe00-\ufe0f]")


def writable(text: str) -> str:
    """What is no Unicode cannot be written down; a question mark stands for it, in the log and before every glob."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def named(session: str) -> str:
    """A session as the log knows it."""
    return without_secrets(writable(session))


class Call:
    """One tool call as the clients send it, in either shape."""

    def __init__(self, tool: str, arguments: Mapping[str, Any], cwd: str, project: str) -> None:
        self.tool, self.arguments = writable(tool.lower().replace("-", "_")), arguments
        self.cwd, self.project = cwd or project, project

    def text(self, *names: str) -> str:
        return next((found for name in names if isinstance(found := self.arguments.get(name), str)), "")


# Under which names tools are told what they shall write.
_PATHS = ("file_path", "filePath", "path", "notebook_path", "notebookPath", "file", "destination", "target_file")


def observe(
    call: Call,
    matcher: Matcher,
    *,
    event: str,
    session: str,
    client: str = "",
    began: float = 0.0,
    home: str = "",
    environment: Mapping[str, str],
) -> Observation:
    """What this call would write, and what the rules would want to know about each file."""
    world = World(call.cwd, call.project, environment, began=began, home=home)
    command = _command(call)
    said = None if command is None else writable(f"{command}\n{call.cwd}")
    writes, opaque, mentions = _writes(call, world)
    try:
        writes += _guarded(mentions, matcher, world, said or "")
    except TooMuch:
        opaque.append("the command names more files than a check may look at")
    targets = _targets(writes, opaque, matcher, world, said)
    whole = repr(sorted(call.arguments.items(), key=lambda pair: str(pair[0]))).encode("utf-8", "replace")
    return Observation(
        event=event,
        session=named(session),
        tool=call.tool,
        client=writable(client),
        targets=targets,
        opaque=tuple(map(writable, opaque)),
        overrides=overridden(matcher, environment),
        input_digest=blake2b(whole, digest_size=16).hexdigest(),
        input_bytes=len(whole),
        **brakes(environment),
    )


def overridden(matcher: Matcher, environment: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        name for name in matcher.overrides if environment.get(name, "").lower() not in ("", "0", "false", "no")
    )


def brakes(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the caller's own environment says about enforcement; it travels with the call."""
    told = environment.get("OPENCODE_ENFORCEMENT_MODE", "").strip()
    families = tuple(f.strip() for f in environment.get("OPENCODE_ENFORCE_FAMILIES", "").split(",") if f.strip())
    if told not in ("off", "shadow", "enforce"):
        return {"families": families} if families else {}
    mode = Mode(told)
    return {"brake": mode if mode is not Mode.ENFORCE else None, "enforce": mode, "families": families}


def is_edit(tool: str) -> bool:
    """Whether a call of this tool may write: an editor's, a shell's, or one of an MCP server's that says so."""
    name = tool.lower().replace("-", "_")
    return (
        name in EDITS
        or name in SHELLS
        or name.rpartition("__")[2] in EDITS | {"write_file", "edit_file", "create_file", "move_file"}
    )


def _command(call: Call) -> str | None:
    """What a shell is to run; None when the call is for no shell."""
    shell = call.tool in SHELLS or (call.text("command") and call.tool.rpartition("__")[2] in SHELLS)
    return call.text("command", "cmd", "script") if shell else None


def _writes(call: Call, world: World) -> tuple[list[Write], list[str], dict[str, str]]:
    if (command := _command(call)) is not None:
        found = read_command(command, world)
        return list(found.writes), found.opaque, found.mentions
    if not is_edit(call.tool):
        return [], [], {}
    content = proposed(call.arguments)
    paths = [call.text(name) for name in _PATHS]
    writes = [Write(world.absolute(path, call.cwd), content, "edit") for path in paths if path]
    patch = call.text("patch", "patchText", "patch_text", "input", "diff")
    for path, added in patched_files(patch):
        writes.append(Write(world.absolute(path, call.cwd), added, "patch"))
    named = any(
        call.text(name) for name in ("file_path", "filePath", "path", "notebook_path", "notebookPath", "patchText")
    )
    opaque = [] if writes or named else ["an edit names no file that we can read"]
    return writes, opaque, {}


def _guarded(mentions: dict[str, str], matcher: Matcher, world: World, said: str) -> list[Write]:
    """Of the places that a command only mentions, those that a rule keeps: as a file, or with all that is in it."""
    found: list[Write] = []
    folders: dict[str, str] = {}
    for place, via in mentions.items():
        world.effort.spend()
        names, whole = _mentioned(place, world, folders)
        for ending in ("", "/\ue001") if whole else ("",):
            if any(matcher.guards(name + ending) for name in names):
                found.append(Write(place + ending, None, f"named to {via if via in said else 'a program'}"))
                break
    return found


def _mentioned(place: str, world: World, folders: dict[str, str]) -> tuple[list[str], bool]:
    """As `names_of`, for many places of few folders at one look each; and whether it is or would be a folder."""
    folder, _, base = place.rpartition("/")
    try:
        mode = os.lstat(place).st_mode
    except (OSError, ValueError):
        mode = 0
    if not place.isascii() or not base or base[-1] in ". " or ":" in base or stat.S_ISLNK(mode):
        return names_of(place, world.project, world.home), not mode or os.path.isdir(place)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    names = [os.path.relpath(place, world.project)]
    led = f"{folders[folder]}/{base}"
    if (other := os.path.relpath(led, real(world.project))) != names[0]:
        names.append(other)
    if world.home and led.startswith(f"{real(world.home)}/"):
        names.append(f".opencode/control-plane/{os.path.relpath(led, real(world.home))}")
    return names, stat.S_ISDIR(mode) or (not mode and "." not in base)


def proposed(arguments: Mapping[str, Any]) -> str | None:
    """The text that would be there afterwards, as far as the call holds it; None when it holds none."""
    parts = [
        value
        for name in ("content", "new_string", "newString", "new_source", "newSource", "text", "new_str", "file_text")
        if isinstance(value := arguments.get(name), str)
    ]
    edits = arguments.get("edits")
    for edit in edits if isinstance(edits, list) else ():
        if isinstance(edit, dict):
            parts += [v for n in ("new_string", "newString", "newText") if isinstance(v := edit.get(n), str)]
    return "\n".join(parts)[:LARGEST_CONTENT] if parts else None


def _targets(
    writes: list[Write], opaque: list[str], matcher: Matcher, world: World, said: str | None
) -> tuple[Target, ...]:
    found: dict[tuple[str, str | None], Target] = {}
    try:
        for write in _listed(writes, world):
            key = (write.path, write.content)
            if key in found:
                continue
            if len(write.path) > LONGEST_PATH:
                opaque.append("a name is longer than that of any file")
                continue
            target = _target(write, matcher, world, said)
            if target is None:
                opaque.append(f"{write.via} writes to a guarded file whose name is made of other text")
            # Files that no rule knows are told apart by a count, not by name, when there are many.
            elif len(found) < MOST_TARGETS or _met(target, matcher):
                found[key] = target
    except TooMuch:
        opaque.append("the command writes to more files than a check may look at")
    return tuple(found.values())


def _listed(writes: list[Write], world: World) -> Iterator[Write]:
    for write in writes:
        world.effort.spend()
        yield write
        if write.tree:
            for path in world.files_under(write.path):
                world.effort.spend()
                yield Write(path, write.content, write.via)
            yield Write(os.path.join(write.path, "\ue001"), write.content, write.via)


def _met(target: Target, matcher: Matcher) -> frozenset[int]:
    return frozenset().union(*(matcher.files(name) for name in (target.path, *target.aliases)))


def _named(write: Write, matcher: Matcher, world: World, said: str | None) -> Target | None:
    """The target by its names; None where those cannot be shown and no pattern stands for them."""
    names = names_of(write.path, world.project, world.home)
    # What an edit writes to, the call itself names.
    path = names[0] if said is None else shown(names[0], world.project, said)
    whole = Target(names[0], tuple(names[1:]), write.via)
    numbers = _met(whole, matcher)
    if path != names[0]:
        patterns = stands_for(path, numbers, matcher)
        return None if patterns is None else Target(path, patterns, write.via)
    # Where a link outside the project leads is nobody's to know, unless it leads to what a rule guards.
    return whole if numbers else Target(path, tuple(name for name in names[1:] if name[:3] != "../"), write.via)


def _target(write: Write, matcher: Matcher, world: World, said: str | None) -> Target | None:
    bare = _named(write, matcher, world, said)
    numbers = _met(bare, matcher) if bare else frozenset()
    if bare is None or not numbers:
        return bare
    exists = os.path.lexists(write.path) if "\0" not in write.path else False
    marks = {marker for number in numbers for marker in matcher.rules.rules[number].markers}
    standing: tuple[str, ...] = ()
    if marks and exists and not world.young(write.path):
        text = world.read(write.path) or ""
        standing = tuple(sorted(marker for marker in marks if marker in text))
    content = write.content
    return Target(
        path=bare.path,
        aliases=bare.aliases,
        via=write.via,
        created=not exists,
        unseen=content is None,
        content=matcher.contents(numbers, content) if content is not None else (),
        markers=standing,
        adds=tuple(sorted(marker for marker in marks if content is not None and marker in content)),
    )


def names_of(path: str, project: str, home: str) -> list[str]:
    """Every name in the project that a path goes by: as written, with links followed, in Unicode's common form."""
    try:
        led, root = os.path.realpath(path), real(project)
    except (OSError, ValueError):
        led, root = path, project
    names = [os.path.relpath(path, project), os.path.relpath(led, root)]
    if home:
        place = os.path.relpath(led, real(home))
        if not place.startswith(".."):
            names.append(f".opencode/control-plane/{place}")
    names += [_INVISIBLE.sub("", unicodedata.normalize("NFKC", name)).replace("\\", "/") for name in list(names)]
    names += [re.sub(r"(?<![. ])[. ]+(?=/|$)|(?<!:):+\$?\w*$", "", name) for name in names if name.rstrip(". ") != name]
    return [name for name in dict.fromkeys(map(writable, names)) if name] or ["."]
