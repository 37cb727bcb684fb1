"""What the guardrails refuse, with codes of their own."""

from ..errors import BadInput, SettingsError


class RulesUnreadable(SettingsError):
    code = "guard.rules-unreadable"


class BadPattern(SettingsError):
    code = "guard.bad-pattern"


class PromotionRefused(BadInput):
    code = "guard.promotion-refused"


class NoSuchHit(BadInput):
    code = "guard.no-such-hit"


class BadTuning(BadInput):
    code = "guard.bad-tuning"


class BadPayload(BadInput):
    code = "guard.bad-payload"
