"""`completion` prints a script for the shell, made from the commands that there are."""

import argparse

from ..command import Command, argument, command, load
from ..printing import Output

_BASH = """\
_control_plane() {{
    local path="" word before=""
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$before $word" in "--home "*|"--state-dir "*|*" -"*) ;; *) path="$path $word" ;; esac
        before="$word"
    done
    case "${{path# }}" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
    [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -F _control_plane control-plane
"""
_ZSH = "#compdef control-plane\nautoload -U +X bashcompinit && bashcompinit\n"
_EVERYWHERE = ("--home", "--state-dir", "--json", "--help")


@command(
    "completion",
    "print the completion script of a shell",
    "control-plane completion bash",
    arguments=[argument("shell", choices=("bash", "zsh", "fish"))],
)
def completion(arguments: argparse.Namespace, out: Output) -> int:
    words = completions(load(()))
    script = fish(words) if arguments.shell == "fish" else bash(words)
    out.text(_ZSH + script if arguments.shell == "zsh" else script)
    return 0


def completions(commands: list[Command]) -> dict[str, list[str]]:
    """What may follow after each chain of words."""
    following: dict[str, list[str]] = {"": ["--version"]}
    for entry in commands:
        words = entry.name.split()
        for depth, word in enumerate(words):
            known = following.setdefault(" ".join(words[:depth]), [])
            if word not in known:
                known.append(word)
        options = [name for names, _ in entry.arguments for name in names if name.startswith("--")]
        choices = [str(choice) for _, kept in entry.arguments for choice in kept.get("choices", ())]
        following.setdefault(entry.name, []).extend(options + choices)
    return {path: [*words, *_EVERYWHERE] for path, words in following.items()}


def bash(following: dict[str, list[str]]) -> str:
    # The longest chain first: behind `ledger key` may stand a file, which is no word of ours.
    chains = sorted(following, key=lambda path: (-len(path.split()), path))
    cases = [f'        "{path}"{"*" if path else ""}) words="{" ".join(following[path])}" ;;' for path in chains]
    return _BASH.format(cases="\n".join(cases))


def fish(following: dict[str, list[str]]) -> str:
    lines = []
    for path, words in following.items():
        seen = path.split()
        here = [f"__fish_seen_subcommand_from {word}" for word in seen] or ["__fish_use_subcommand"]
        deeper = [word for word in words if not word.startswith("-") and f"{path} {word}".strip() in following]
        here += [f"not __fish_seen_subcommand_from {' '.join(deeper)}"] if deeper and seen else []
        plain = [word for word in words if not word.startswith("-")]
        condition = "; and ".join(here)
        lines += [f"complete -c control-plane -n '{condition}' -a '{' '.join(plain)}'"] if plain else []
        lines += [f"complete -c control-plane -n '{condition}' -l {word[2:]}" for word in words if word[:2] == "--"]
    return "\n".join(lines) + "\n"
