"""What the model and the person read: a marker, the rule, the cure, and the way out."""

from .events import Hit
from .matching import Matcher
from .terms import Decision, Mode

WAY_OUT = "control-plane guard off --for 1h"
LONGEST = 4000


def messages(matcher: Matcher, decision: str, hits: tuple[Hit, ...]) -> str:
    """One line a rule, the hardest first; empty when there is nothing to say."""
    lines = []
    for hit in hits:
        line = _line(matcher, decision, hit)
        if line and line not in lines:
            lines.append(line)
    return "\n".join(lines)[:LONGEST]


def _line(matcher: Matcher, decision: str, hit: Hit) -> str:
    rule = matcher.by_name.get(hit.rule)
    if rule is None or hit.would is Decision.ALLOW:
        return ""
    file = hit.path or "what this command writes"
    told = " ".join((rule.message.replace("{file_path}", file) or rule.description or "").split())
    if hit.would is Decision.SUGGEST:
        return f"[SUGGEST] {hit.rule}: {told or 'this skill fits; use it first.'}"
    if hit.would is Decision.WARN:
        return f"[WARN] {hit.rule}: {file}. {told}".rstrip()
    seen = f" ({hit.why})" if hit.why else ""
    if hit.live is not Decision.BLOCK:
        off = "the rule is off" if hit.mode is Mode.OFF else "in shadow, the call goes on"
        return f"[BLOCK-SHADOW] {hit.rule}: would block {file}{seen}; {off}. {told}".rstrip()
    cure = _cure(rule.skip_when_skill_used, rule.name, rule.markers, rule.env_override)
    label = f"control-plane guard label {decision} FP --rule {hit.rule}"
    return (
        f"[BLOCK] {hit.rule}: {file}{seen} is guarded. {told} Cure: {cure}. "
        f"For a person: false positive? `{label}`; way out: `{WAY_OUT}`."
    )


def _cure(skill: bool, name: str, markers: tuple[str, ...], override: str) -> str:
    ways = [f"use the skill {name} first"] if skill else []
    ways += [f"a person sets {override}"] if override else []
    ways += [f"a person puts {markers[0]} into the file"] if markers else []
    return " or ".join(ways) or "leave this file alone, or ask a person to change it"
