"""Inline code of an interpreter: whether it writes, and which of its texts may name what it writes."""

import re
from typing import NamedTuple

from .calls import only_reads
from .linear import every, there
from .sinks import spelled_places

# In the words of RE2: a text of any length is looked through once.
_WRITES = (
    r"""\bopen\s*\([^()]*(?:\([^()]*\)[^()]*){0,6},\s*(?:mode\s*=\s*)?[rbu]*['"][rbt]*[wax+]"""
    r"""|(?:mode|open)\s*=\s*['"][rbt]*[wax+]|\.open\s*\(\s*['"][rbt]*[wax+]"""
    r"""|write_text|write_bytes|writelines|[wW]riteFile|appendFile|[wW]riteStream"""
    r"""|copy[Ff]ile|copytree|\bcpSync|\bcp\s*\(|\brename|os\.replace|\.replace\s*\([^,()]*\)|unlink|rmtree|\brm(?:dir)?(?:Sync)?\s*\("""
    r"""|os\.remove|\bremove\s*\(\s*['"]|\b(?:copy|move)\s*\(\s*['"]|\bq[qw]?\W\s*\+?[>+]|shutil\.|truncate|symlink|hardlink|os\.link|\.link\s*\("""
    r"""|File\.(?:write|open|new|delete)|IO\.write"""
    r"""|binwrite|FileUtils|file_put_contents|\bfopen|fwrite|fputs|Deno\.|Bun\.write|os\.open|sendfile|\.touch\s*\(|\.save\s*\("""
    r"""|\bopen\s*\(?\s*(?:my\s+)?\$?[\pL\pN_]+\s*,\s*['"]\s*\+?[>|+]|\bopen\s*\(?\s*\(?\s*['"]>|print\s*\{?\s*\$?[\pL\pN_]*\}?\s*>|>>?\s*\(?['"]|->spew|fileinput"""
    r"""|io\.open|io\.output|\bdump\s*\(|savetxt"""
    r"""|extractall|\.extract\s*\(|write(?:Lines|RDS|\.csv|\.table)|saveRDS|file\.(?:remove|rename|create|append|copy)|to_csv|to_json|WriteAllText|Set-Content|Out-File|\bspit\b|ofstream|\+>|-i\b"""
)
_RUNS = (
    r"os\.(?:system|popen|exec|spawn|posix_spawn)|subprocess|pty\.spawn|child_process|execSync|spawnSync|\bsystem\s*\(?|\bexec\s*[('\"]"
    r"|`|%x|Popen|popen|shell_exec|passthru|Open3|qx|\$\$?\(|Deno\.(?:run|Command)|Bun\.(?:spawn|\$)|runpy|os\.execute"
)
_HIDES = (
    r"__import__|getattr\s*\(|setattr\s*\(|b(?:16|32|64|85)decode|a85decode"
    r"|decodebytes|fromhex|unhexlify|a2b_|codecs|marshal|pickle|zlib|\bchr\s*\(|\bord\s*\(|fromCharCode|fromCodePoint|atob|Buffer\.from|pack\s*\("
    r"|globals\s*\(|locals\s*\(|__builtins__|builtins|__dict__|importlib|\bFunction\s*\(|instance_eval|class_eval|\\x[0-9a-fA-F]{2}"
    r"|\\u\{?[0-9a-fA-F]{2}|\\[0-7]{3}|rot_?13|::\s*-1|\breversed\b|\.reverse\b|Base64|MIME|require\s*\(\s*[^'\"]|translate\s*\(|\bsend\s*\("
)
_DEPENDS = (
    r"input\s*\(|stdin|environ|getenv|process\.env|\bENV\b|\$ENV|listdir|scandir|\bglob\b|os\.walk|iterdir|readdir|Dir\.|urlopen|requests"
    r"|\.join\s*\(\s*['\"]['\"]|['\"]\s*\.join|\.format\s*\(|%\s*[(\pL\pN_'\"]|\{[^{}]{0,80}\}[^'\"]{0,80}['\"]|replace\s*\([^()]*,|\.sub\s*\(|upper|lower\s*\(|strip"
)
# Where what stands before a name decides; each begins with its name, so a text is looked through once as well.
_WRITES_TO = re.compile(r"(?<!stdout)(?<!stderr)\.write\s*\(")
_HIDES_IN = re.compile(r"(?<![.\w])exec\s*\(|(?<![.\w])eval\b|(?<!re\.)(?<!\w)compile\s*\(")
_TEXT = r"""(?:'''(.*?)'''|\"\"\"(.*?)\"\"\"|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`)"""
_PERL_TEXT = r"(?:q[qwx]?|%[qQwx]?)\s*[({\[<|/!]([^)}\]>|/!]*)[)}\]>|/!]"
_WORD = r"[\pL\pN\pM_.~/@+:-]*[/.][\pL\pN\pM_./@+-]+"
_BLANK = re.compile(r"[^\S\n]")
MOST_TEXTS = 400


class Code(NamedTuple):
    """`texts` may name files; `commands` may be given to a shell; `hidden` when its deeds cannot be read off it."""

    writes: bool
    hidden: bool
    texts: tuple[str, ...]
    commands: tuple[str, ...]


def read_code(text: str, *, paren_less: bool = False) -> Code:
    # Whatever a language takes for a blank is one here.
    bare = _BLANK.sub(" ", text)
    writes, runs, hides = _may_write(bare), there(_RUNS, bare), there(_HIDES, bare) or bool(_HIDES_IN.search(bare))
    texts = [*every(_TEXT, text), *every(_PERL_TEXT, text)]
    texts = [one for one in texts if one][:MOST_TEXTS]
    commands: tuple[str, ...] = ()
    if runs:
        commands = (*texts, *(" ".join(texts[at : at + 8]) for at in range(len(texts))))
    named = [one for one in texts if "\n" not in one and len(one) < 1000]
    whole = [*named, *_chains(named), *every(_WORD, text)]
    spelled = spelled_places(text, _may_write) if writes and not runs else None
    if spelled is not None and not hides and only_reads(spelled.rest, paren_less=paren_less):
        return Code(True, False, spelled.places, ())
    hidden = hides or (writes and there(_DEPENDS, bare) and spelled is None)
    return Code(writes, hidden, tuple(dict.fromkeys(whole)) if writes else (), commands)


def _may_write(bare: str) -> bool:
    return there(_WRITES, bare) or _WRITES_TO.search(bare) is not None


def _chains(texts: list[str]) -> list[str]:
    """Neighbours put together as `a + b`, `join(a, b)` or `a / b` would."""
    spans = [texts[at : at + size] for size in (2, 3, 4, 5) for at in range(min(len(texts), 60) - size + 1)]
    joined = ["".join(span) for span in spans]
    joined += [re.sub(r"/+", "/", "/".join(part for part in span if part != "/")) for span in spans]
    return [one for one in joined if len(one) < 500]


def joined_texts(text: str) -> list[str]:
    """What the texts in this code could be put together to."""
    texts = every(_TEXT, text)[:MOST_TEXTS]
    return _chains([one for one in texts if one and "\n" not in one and len(one) < 1000])
