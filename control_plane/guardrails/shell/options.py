"""The words of a command: options with their values, and what is left."""

from collections.abc import Collection


def split_options(words: list[str], valued: Collection[str] = ()) -> tuple[dict[str, str], list[str]]:
    """Options with their values, and what is left; `-ofile` and `--out=file` count as well."""
    options: dict[str, str] = {}
    rest: list[str] = []
    at = 1
    while at < len(words):
        word = words[at]
        if word == "--":
            return options, rest + words[at + 1 :]
        if word.startswith("--") and "=" in word:
            name, _, value = word.partition("=")
            options[name] = value
        elif word in valued:
            options[word] = words[at + 1] if at + 1 < len(words) else ""
            at += 1
        elif word.startswith("-") and len(word) > 1:
            short = next((v for v in valued if len(v) == 2 and word.startswith(v) and word[1] != "-"), None)
            options[short or word] = word[2:] if short else ""
        else:
            rest.append(word)
        at += 1
    return options, rest
