"""What the guardrails refuse, with codes of their own."""

from ..errors import BadInput, SettingsError


class RulesUnreadable(SettingsError):
    """A rules file that cannot be read; the last good version stays in force."""

    code = "guard.rules-unreadable"


class BadPattern(SettingsError):
    """A pattern that would not run in linear time, or does not parse."""

    code = "guard.bad-pattern"


class PromotionRefused(BadInput):
    """The labels do not carry enforcement yet."""

    code = "guard.promotion-refused"


class NoSuchHit(BadInput):
    """No decision of that name, or none that hit a rule."""

    code = "guard.no-such-hit"


class BadTuning(BadInput):
    """No such rule or report, or a change that would lose a true hit."""

    code = "guard.bad-tuning"


class BadPayload(BadInput):
    """What a hook was sent, or Claude Code's settings, cannot be read."""

    code = "guard.bad-payload"
