"""Which programs only read what they are given. What is not known here to read counts as touching what it names."""

import os
from typing import NamedTuple


class Reading(NamedTuple):
    """Reads its operands; `flags` are short options without a value, `inputs` options whose value is only read."""

    flags: str = ""
    inputs: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()


def _reading(flags: str = "", inputs: str = "", switches: str = "") -> Reading:
    return Reading(flags, frozenset(inputs.split()), frozenset(switches.split()))


# Whatever their words are, they only read (a folder without files is nothing); or their own reader knows all that they write.
_READS = """
    [ [[ : ack ag alias ansible-lint at awk b2sum basename bat batcat batch bc break bunzip2 bzip2 cal cat cd cksum
    clear cloc cmp code codespell colordiff column comm continue control-plane control_plane csvlook cursor cut date declare delta
    df dig dirname dirs du echo egrep eval exa exit expand expect export expr eza factor false fd fdfind fgrep file find fmt fold free
    fuser fzf gawk gcat getent getfacl getopts ggrep glow grep groups gunzip gzip hd head hexdump highlight history host hostname hadolint
    id identify ip jobs join kill killall la lddtree ldd ll local locate lolcat look ls lsattr lscpu lsof lz4 lzma
    mapfile md5sum mdcat mediainfo mdless mktemp mount nl nm nproc numfmt objdump od paste pathchk pgrep pidof ping pkill pigz popd
    pr printenv printf ps ptx pushd pwd read readarray readelf readlink readonly realpath return rev rg ripgrep rg-all scc sed select
    seq set sha1sum sha224sum sha256sum sha384sum sha512sum shellcheck shift shopt size sleep spellcheck ssh-add ssh-agent ssh-keygen stat
    strings su sum tac tail test tldr tmux tokei top tr trap true tsort tty type typeset ulimit umask unalias uname unexpand unset
    unxz unzstd uptime users vmstat w wait wc whatis whereis which who whoami xclip xdpyinfo xmlwf xxhsum xz xzcat yamllint zcat
    zdiff zgrep zstd zstdcat sqlite3 pwsh powershell diffstat jsonlint markdownlint bzcat bzgrep zless vale llvm-nm c++filt man
    direnv uniq ffprobe squawk pg_isready pre-commit dotenv-linter gitleaks trufflehog semgrep bandit git mkdir gio
"""  # fmt: skip
READS = frozenset(_READS.split())

_COMPILED = "-I -L -l -isystem -iquote -include -x -std -D -U -T -W -march -mtune -arch -framework -ld -X"
_CHECKED = """
    -c --config -p --project --tsconfig --ignore-path --ext --rootDir --preset --env-file --rulesdir --parser
    --plugin -k -m -t --grep --testNamePattern --testPathPattern --maxfail --tb --durations -n --numprocesses --dist
    --timeout --rootdir --ignore --deselect --reporter --reporters --shard --workers --retries --select
    --extend-select --python-version --target-version --line-length -l --max-warnings --maxWorkers --runInBand
    --seed --markers --filter --features --package --bin --lib --example --test --run --bench --tags -run -bench
    -count -tags -timeout -cover -parallel --python-executable --baseUrl
"""
_LINTED = """
    --fix --check --diff --coverage --watch --watchAll --strict --noEmit --verbose --quiet --bail --ci --silent
    --no-cache --no-coverage --noEmitOnError --declaration --sourceMap --skipLibCheck --passWithNoTests
    --findRelatedTests --updateSnapshot --exitfirst --lf --ff --last-failed --failed-first --sw --stepwise
    --collect-only --no-header --no-summary --show-capture --ignore-missing-imports --no-error-summary
    --show-error-codes --release --all --workspace --all-features --no-run --locked --offline --list-different
    --no-warn-ignored --headed --debug --no-cov --bundle --minify --race -race -v -short -cover --json --pretty
    --list --listFiles --detectOpenHandles --forceExit --verbose=true
"""
_TEST = _reading("vqxsioubwaflhTS", _CHECKED, _LINTED)
_BUNDLED = _reading(
    "wcmp",
    "-c --config --loader --format -f --platform --target --external --define -i --input --mode --tsconfig",
    _LINTED,
)
_COPIED = """
    --exclude --include --exclude-from --include-from --files-from --filter -f --info --chmod --chown --bwlimit
    --max-size --min-size --port --timeout --compress-level --reference --suffix -S --mode -m --owner -o --group -g
    --no-preserve --link-dest --compare-dest --copy-dest
"""
_KEPT = """
    --archive --verbose --recursive --force --delete --delete-after --delete-before --delete-excluded --progress
    --dry-run --compress --quiet --update --checksum --stats --human-readable --partial --no-clobber --interactive
    --preserve --no-dereference --symbolic --relative --parents --one-file-system --copy-links --links --perms
    --times --no-perms --no-owner --no-group --ignore-existing --itemize-changes --inplace --no-target-directory
    --hard-links --numeric-ids
"""
_FETCHED = """
    -H --header -X --request -d --data --data-raw --data-binary --data-urlencode --json -F --form -u --user -A
    --user-agent -e --referer -b --cookie -T --upload-file -E --cert --key --cacert --capath -m --max-time
    --connect-timeout --retry --retry-delay --retry-max-time -w --write-out -x --proxy --resolve --url -r --range -U
    -t -Q --tries --limit-rate -o --output -O --output-document --output-dir -P -c -D --unix-socket --post-data
    --post-file --ca-certificate --netrc-file
"""
_PULLED = """
    --silent --show-error --location --fail --fail-with-body --insecure --head --include --compressed --get
    --verbose --no-verbose --quiet --recursive --no-check-certificate --create-dirs --remote-name --progress-bar
    --globoff --continue --spider
"""

_LOOKED_OVER = """
    eslint prettier tsc vue-tsc jest vitest mocha ava playwright cypress pytest mypy pyright pylint flake8 ruff black
    isort cargo go stylelint biome oxlint tslint rubocop rspec phpunit tox nox golangci-lint staticcheck unittest
    py.test clippy-driver knip depcheck madge jscpd sqlfluff prisma-lint gofmt goimports rustfmt autopep8 yapf
    clang-format dprint ty basedpyright coverage doctest jest-cli nyc c8 ts-prune dmypy vulture radon
"""
_CHECKERS = _LOOKED_OVER.split()
OPERANDS: dict[str, Reading] = {
    **dict.fromkeys(("cp", "gcp", "cpy", "cpy-cli", "install", "mv", "gmv", "ln", "link"), _reading("abcdDfHiLlnPpRrsTuvxZ", _COPIED + " -t --target-directory", _KEPT)),
    **dict.fromkeys(("rsync", "scp"), _reading("0468abcCdDEgGhHIJkKlLnNoOpPqrRstuUvWxXyz", _COPIED + " -i -F -P -l", _KEPT)),
    **dict.fromkeys(("tar", "bsdtar", "jar"), _reading("cxtrujzJpvhkmOUWaSZlPf", "-C --directory -f --file --exclude -X --exclude-from -b --strip-components --transform -T --files-from --owner --group --mode --mtime", "--create --extract --list --gzip --bzip2 --xz --zstd --verbose --remove-files --dereference --exclude-vcs --auto-compress --wildcards --append --update")),
    "zip": _reading("rqjmuTy9876543210vfgDoeX", "-x -i -n -t -tt -b -P"), "unzip": _reading("lqojntpvCzaLUDZf", "-d -x -P"),
    "sort": _reading("bdfghiMnRrVcCmsuz", "-k -t -S -o --output --key --field-separator --parallel --files0-from", "--reverse --unique --numeric-sort --stable --check --version-sort --human-numeric-sort"),
    "split": _reading("dex", "-a -b -C -l -n -t --lines --bytes --additional-suffix", "--verbose --numeric-suffixes --elide-empty-files"),
    "xxd": _reading("abCEeipru", "-l -s -c -g -o -n --len --seek"), "base64": _reading("diw", "-w --wrap", "--decode --ignore-garbage"), "base32": _reading("diw", "-w --wrap", "--decode"),
    "basenc": _reading("diw", "-w", "--decode --base64 --base32 --base64url --base16"),
    "shuf": _reading("erz", "-n -i --head-count"), "iconv": _reading("cls", "-f -t --from-code --to-code"),
    "curl": _reading("sSfLkiIvgGnNqjZ0123460aBJOlpR#", _FETCHED, _PULLED), "wget": _reading("qcNnvrkSFbx46", _FETCHED, _PULLED),
    "http": _reading("vhbdFp", "", "--json --form --body --headers --verbose"), "https": _reading("vhbdFp"),
    "jq": _reading("rcnesSjaCMR", "-f --from-file --arg --argjson --slurpfile --rawfile --indent -L", "--raw-output --compact-output --null-input --exit-status --slurp --sort-keys --raw-input --tab --stream --join-output"),
    "yq": _reading("rPCMNneji", "-o -p --output-format --input-format -I --arg", "--inplace --raw-output --prettyPrint --colors --no-doc --null-input"),
    "tree": _reading("adfilhpsugDFqNQrtxcnACSJX", "-L -P -I --filelimit --sort", "--dirsfirst --du --gitignore --noreport --prune"),
    **dict.fromkeys(("less", "more", "most"), _reading("aAbBcCdeEfFgGiIJKLmMnNqQrRsSuUVwWX~", "-p -x -y -z -t -j -h")),
    **dict.fromkeys(("diff", "sdiff", "vimdiff", "difft", "icdiff"), _reading("abBcdeEilnNpqrstTuwyZ", "-U -C -I -x -X -S -F -L -W --label --unified --context --exclude --color", "--brief --recursive --unified --side-by-side --report-identical-files --ignore-all-space --no-index --strip-trailing-cr --new-file --normal")),
    "openssl": _reading("", "-in -inkey -key -cert -certfile -CA -CAkey -CAfile -CApath -config -signkey -subj -days -inform -outform -keyform -passin -passout -out -keyout -connect -servername -untrusted -verify -extfile -extensions -newkey -name -set_serial", "-noout -text -modulus -pubin -pubout -nodes -x509 -sha256 -sha512 -sha1 -md5 -fingerprint -subject -issuer -dates -enddate -startdate -serial -check -purpose -new -hex -base64 -a -d -e -r -showcerts -pkcs8 -nocrypt -topk8 -nocerts -nokeys -legacy -clcerts -aes256"),
    "gpg": _reading("deasbvqc", "-u -r -o --output --recipient --local-user --homedir --keyserver", "--verify --decrypt --encrypt --sign --armor --list-keys --import --detach-sign --batch --yes --list-packets"),
    "age": _reading("deap", "-i -r -R -o --identity --recipient --output"), "sops": _reading("dei", "--config --age --kms --pgp --input-type --output-type --extract", "--decrypt --encrypt --in-place"),
    **dict.fromkeys(("gcc", "cc", "g++", "clang", "clang++", "c++"), _reading("cEgSvwMHPs", _COMPILED, "-MM -Wall -Wextra -Werror -pedantic -fPIC -shared -static -O0 -O1 -O2 -O3 -Os -Og -ggdb -pthread -fsyntax-only -MD -MMD -nostdlib")),
    "protoc": _reading("", "-I --proto_path --plugin"), "pandoc": _reading("s", "-f -t --from --to --template --css --metadata -M -V --bibliography", "--standalone --toc --self-contained"),
    **dict.fromkeys(("esbuild", "rollup", "webpack", "vite", "parcel", "swc", "babel", "tsup", "rolldown"), _BUNDLED),
    **dict.fromkeys(_CHECKERS, _TEST),
    **dict.fromkeys(("psql", "mysql", "pg_dump", "pgcli", "duckdb"), _reading("qAtXxaE1iswvSNB", "-f --file -d --dbname -h --host -U --username --user -p --port -v --set -F -D --schema -s -t --table -n", "--quiet --tuples-only --no-align --csv --schema-only --data-only")),
    **dict.fromkeys(("docker", "podman", "docker-compose", "nerdctl"), _reading("ditqaP", "-f --file --env-file --name -p --publish -e --env -t --tag --target --build-arg --project-name --profile -w --workdir -u --user --network --platform --format --filter --tail -n --since --entrypoint -l --label --progress", "--rm --detach --build --no-cache --pull --follow --quiet --all --interactive --tty --volumes --remove-orphans --force-recreate --wait --init --privileged --help --version --no-deps --no-trunc --no-color")),
    **dict.fromkeys(("kubectl", "helm", "k9s", "kustomize", "oc"), _reading("wAfqi", "-f --filename -n --namespace -o --output -l --selector -c --container --context --values --set -k --kustomize --from-file --from-env-file --from-literal --dry-run --tail --since --sort-by", "--all-namespaces --watch --follow --wait --recursive --dry-run --previous --show-labels --install")),
    **dict.fromkeys(("terraform", "tofu"), _reading("", "-var-file -var -target -chdir", "-auto-approve -no-color -json -check -diff -recursive")),
    **dict.fromkeys(("npm", "pnpm", "yarn", "bun"), _reading("sfgDPEwSi", "-w --workspace --filter --reporter --registry --loglevel --testNamePattern -t --grep", _LINTED + " --silent --if-present --workspaces --save-dev --save --global --yes --no-save --legacy-peer-deps --frozen-lockfile --prefer-offline --production")),
    "prisma": _reading("", "--schema --name -n --config --url --from-schema-datamodel --to-schema-datamodel --from-migrations --to-migrations --shadow-database-url", "--create-only --force --watch --exit-code --script --help --accept-data-loss --skip-generate --skip-seed --no-engine"),
    **dict.fromkeys(("pip", "pip3", "pipenv", "pdm", "conda"), _reading("qUve", "-r -c -e --requirement --constraint --editable -i --index-url --extra-index-url", "--upgrade --quiet --user --no-deps --pre --dry-run --yes --force-reinstall")),
    "patch": _reading("bEflNRstuv0123456789", "-p --strip -i --input -d --directory -F -B -z -V -o --output", "--dry-run --forward --reverse --force --batch --quiet --verbose"),
    "screen": _reading("dmxrRqDUwaA", "-S -p -X -t -T -c -s -e -h"),
    "touch": _reading("acmh", "-d -t -r --reference --date"),
}  # fmt: skip
# Options that a program's own reader knows, but only where they stand alone.
_TAKEN_ALONE = "otOPCd"
# Verbs of programs above whose operands are not only read.
_CHANGES: dict[str, frozenset[str]] = {
    "docker": frozenset(("cp", "export", "save")), "podman": frozenset(("cp", "export", "save")), "kubectl": frozenset(("cp",)),
    "npm": frozenset(("config", "init", "pack", "set", "create")), "pnpm": frozenset(("config", "init", "pack", "create")), "yarn": frozenset(("config", "init", "pack", "create", "policies")),
    "go": frozenset(("generate", "get", "mod", "fmt", "fix")), "cargo": frozenset(("init", "new", "add", "fix", "fmt", "install", "vendor")),
    "helm": frozenset(("create", "pull", "package")), "prisma": frozenset(("format", "init", "pull")), "coverage": frozenset(("html", "xml", "json")),
    "terraform": frozenset(("fmt", "init")), "tofu": frozenset(("fmt", "init")), "gh": frozenset(("clone", "download", "create-file")),
}  # fmt: skip


def reads_alone(program: str) -> bool:
    """Whether a program of this name only reads its operands."""
    return program in READS or program in OPERANDS


def exposed(words: list[str]) -> list[str]:
    """The words of a command that are not known to be only read."""
    name = os.path.basename(words[0])
    if name in READS:
        return []
    if name == "gh":
        return words[1:] if _CHANGES["gh"] & set(words[1:4]) else []
    reading = OPERANDS.get(name)
    if reading is None:
        return words[1:]
    verbs = [word for word in words[1:4] if not word.startswith("-")]
    if _CHANGES.get(name, frozenset()) & set(verbs[:2]):
        return _destinations(words) if verbs[0] == "cp" else words[1:]
    return _of_options(words, reading)


def _destinations(words: list[str]) -> list[str]:
    return words[-1:]


def _of_options(words: list[str], reading: Reading) -> list[str]:
    found: list[str] = []
    at = 1
    while at < len(words) and words[at] != "--":
        word = words[at]
        at += 1
        if not word.startswith("-") or len(word) == 1:
            continue
        name, sign, _ = word.partition("=")
        if name in reading.inputs and (word.startswith("--") or not sign):
            at += not sign
        elif not _harmless(word, name, reading):
            found.append(word)
            # It may be a switch or take a value: then this is it.
            if not sign and at < len(words) and not words[at].startswith("-"):
                found.append(words[at])
                at += 1
    return found


def _harmless(word: str, name: str, reading: Reading) -> bool:
    if name in reading.switches:
        return True
    if word.startswith("--"):
        return word.startswith("--no-")
    letters = word[1:]
    known = len(letters) - len(letters.lstrip(reading.flags))
    # `-Isrc`, `-qn5`: what is left is the value of an option that only reads.
    return known == len(letters) or (letters[known] not in _TAKEN_ALONE and f"-{letters[known]}" in reading.inputs)
