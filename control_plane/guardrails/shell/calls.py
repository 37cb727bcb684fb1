"""Whether the calls in an interpreter's code are known to read only. Code with any other call may write what it names."""

import re

from .linear import without
from .reading import reads_alone

# Lists lose members and standard output gets text without a file being touched.
_INNOCENT = re.compile(r"std(?:out|err)\.write|\.remove\(\s*\d+\s*\)|\bcopy\.(?:copy|deepcopy)\b|\.copy\(\)")
_PATTERN = re.compile(r"(?:(?<=[~(\s])|^)/(?:[^/\n\\]|\\.)*/")
# Programs that code runs by their plain names.
_RUNS = re.compile(
    r"(?:\b\w+\.)?\b(?:run|call|check_call|check_output|Popen|spawn|spawnSync|execFile|execFileSync)\s*\(\s*\[?\s*['\"]([\w./-]+)(?=['\"])"
)
# A method that is looked up by a text, and perl's way to edit in place.
_COMPUTED = re.compile(r"['\"\w)]\s*\]\s*\(|\$\^I")
_REPLACED = re.compile(r"\breplace(?:All)?\s*\((?!\s*[rbfu]*['\"/])")
_STRINGS = r"""'''.*?'''|\"\"\".*?\"\"\"|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_COMMENT = re.compile(r"(?m)^[^\S\n]*#.*$")
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*(?:\(|`)")
_WORD = re.compile(r"(?<![\w$@%&:])([A-Za-z_]\w*)[?!]?")
_MEMBER = re.compile(
    r"\b(?:os|fs|fsp|shutil|pathlib|File|FileUtils|Dir|IO|Kernel|Process|Deno|Bun|process|ctypes|subprocess|child_process)\.(\w+)"
)
_OPENED = re.compile(
    r"\bopen\s*\([^,()]*,\s*(?!(?:mode\s*=\s*)?['\"][rbtU]+['\"]|encoding|errors|newline|buffering|['\"]<|['\"]utf)"
)
# `open` of the language or of what unpacks; another module's may make what it opens.
_OPENED_ELSEWHERE = re.compile(
    r"(?<!io)(?<!gzip)(?<!bz2)(?<!lzma)(?<!codecs)(?<!File)(?<!Image)(?<!zipfile)(?<!tarfile)(?<!\))\.open\s*\("
)
_RENAMED = re.compile(r"\bas\s+(\w+)|\b(\w+)\s*=(?!=)")

_READING_CALLS = """
    abs all any append apply argv array assert at basename bool bytes capitalize cat ceil charAt chomp close closest code collect
    combine compile console const containsKey content count Counter cwd data date datetime decode deepcopy defaultdict dict
    difference dir dirname dump dumps each each_with_index elif else encode endsWith ends_with endswith entries enumerate env environ
    error errors escape every exists existsSync exit extend extname fetchall fetchone file file_get_contents filter find findall
    finditer first fgets flat flatMap float fnmatch for forEach foreach format freeze from fromEntries fullmatch function get getattr getcwd
    getenv getsize glob grep group groups gsub has hash hasOwnProperty head help hexdigest hypot id if imap import in includes index
    indexOf indent info input insert int intersection is isArray isDirectory isFile isNaN is_dir is_file is_symlink isabs isatty isdigit
    isdir isfile isinstance islink issubset items iter iterdir itertools join json JSON keys lambda last lastIndexOf len length less
    let lines list listdir ll load loads localtime log lower ls lstat lstatSync lstrip map map_with_index match matchAll max md5 merge
    method min most_common name names new next not now Number number Object open or order ord os padEnd padStart parse parse_args
    parseFloat parseInt partition Path PurePath path pathlib platform pop pp pprint prettyprint print printf print_r process
    products pull push puts p range re read readAsText readFile readFileSync readTextFile readTextFileSync read_bytes read_csv read_json
    read_text readable readdir readdirSync readline readlines readlink realpath realpathSync reduce relative relative_to relpath replace replaceAll repr
    require resolve resolves return rev reverse reversed rglob rindex round rpartition rsplit rstrip safe_load say scan scandir search
    select set setdefault sha1 sha256 sha512 shift shuffle size slice some sort sort_by sorted splice split splitext splitlines spread
    sprintf sqrt startswith startsWith starts_with stat statSync stem str strftime string String stringify strip strptime sub substr
    substring suffix sum super sys table tail tee test text then time times title to_a to_h to_i to_s toFixed toISOString toJSON
    toLocaleString toLowerCase toString toUpperCase transform trim trimEnd trimStart tuple type typeof typing undefined union uniq
    unique unquote upper use utf8 values var_dump version versions warn while with with_index with_suffix yield zip zip_longest ast
    walk parse_known_args ArgumentParser add_argument fromstring getroot findtext iterparse tomllib yaml namedtuple dataclass field
    parents parent absolute as_posix expanduser home joinpath exist file_exists is_readable is_null isset count explode implode readLines
    scan unlines catch of on once readable async await describe it expect cond when do toEqual toBe stdin stdout stderr exitcode
    sep pathsep linesep pid ppid uptime memoryUsage hrtime nextTick getuid cpu_count getpid uname fspath fsencode fsdecode
"""
_CALLS = frozenset(_READING_CALLS.split())
_READING_WORDS = """
    and begin BEGIN case class def defined die do elsif end END ensure eq false FILE File Dir IO ARGF STDIN STDOUT foreach ge gt last le
    local lt my ne next nil no null our package print puts raise redo require rescue self strict sub switch true undef unless until
    unshift use warnings while x xor y q qq qw qr m s chop lc uc lcfirst ucfirst keys values exists scalar wantarray join reverse
    sprintf say local each ref bless map grep sort push pop readline getline eof foreach_line read File each_line readlines
    Data Dumper Set JSON YAML CSV Time Date Hash Array Integer String Float function local then io lines pairs ipairs tostring tonumber
    table concat insert string len sub gsub match format
"""
_WORDS = _CALLS | frozenset(_READING_WORDS.split())


def only_reads(text: str, *, paren_less: bool = False) -> bool:
    """`paren_less`: the language calls without parentheses too, so that every word in it may be a call."""
    text = _RUNS.sub(lambda found: "(" if reads_alone(found[1]) else found[0], text)
    bare = without(_STRINGS, _INNOCENT.sub("", _COMMENT.sub("", text)), "''")
    bare = _PATTERN.sub("''", bare) if paren_less else bare
    known, called = (_WORDS, _WORD.findall(bare)) if paren_less else (_CALLS, _CALLED.findall(bare))
    if any(name not in known and (len(name) > 1 or not paren_less) for name in called):
        return False
    if any(name not in _CALLS for name in _MEMBER.findall(bare)) or any(
        one.search(text) is not None for one in (_COMPUTED, _OPENED, _OPENED_ELSEWHERE, _REPLACED)
    ):
        return False
    # A name that reads may have been given to something else.
    renamed = {one or other for one, other in _RENAMED.findall(bare)}
    return not renamed & _CALLS & set(_CALLED.findall(bare))
