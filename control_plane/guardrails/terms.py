"""The words of the guardrails: how hard a rule presses, in which mode, and what came of it."""

from enum import StrEnum


class Decision(StrEnum):
    """What one check answers; the later ones are the harder ones."""

    ALLOW = "allow"
    SUGGEST = "suggest"
    WARN = "warn"
    BLOCK = "block"


class Mode(StrEnum):
    """How a family is run: not at all, watched only, or for real."""

    OFF = "off"
    SHADOW = "shadow"
    ENFORCE = "enforce"


class Label(StrEnum):
    """What a person says about one hit."""

    TP = "TP"
    FP = "FP"
    UNCLEAR = "UNCLEAR"


HARDNESS = {decision: at for at, decision in enumerate(Decision)}
STRICTNESS = {mode: at for at, mode in enumerate((Mode.OFF, Mode.SHADOW, Mode.ENFORCE))}


def hardest(decisions: "list[Decision]") -> Decision:
    return max(decisions, key=HARDNESS.__getitem__, default=Decision.ALLOW)
