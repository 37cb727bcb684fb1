"""What a flag is worth: the environment first, then a flip that the ledger holds, then the default."""

import difflib
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ..errors import SettingsError
from .declared import Flags
from .milestones import MILESTONES, rolled_back

Source = Literal["environment", "ledger", "default"]
# The other names are needed before a ledger is open, or belong to one host.
_FLIPPED_BY_EVENT = "OPENCODE_"
_RANK: tuple[Source, ...] = ("default", "ledger", "environment")
_FAMILY = re.compile(r"^(OPENCODE|CONTROL_PLANE)_")
_PASSWORD = re.compile(r"(://[^:/@]*):[^@/]*@")


class Explained(NamedTuple):
    """One flag as it stands, and why it stands so."""

    name: str
    value: str
    source: Source
    default: str
    allowed: str
    meaning: str
    item: str
    rolls_back: str


FIELDS: Mapping[str, str] = {field.alias or name: name for name, field in Flags.model_fields.items()}


def read_flags(environment: Mapping[str, str], flips: Mapping[str, str]) -> Flags:
    """The flags under this environment and the flips that the ledger holds."""
    chosen = {name: _source(name, environment, flips) for name in FIELDS}
    given = {"environment": environment, "ledger": flips}
    told = {name: given[source][name] for name, source in chosen.items() if source != "default"}
    try:
        flags = Flags.model_validate(told)
        undone = _undone(flags, chosen)
        return Flags.model_validate(told | {name: value for name, (value, _) in undone.items()}) if undone else flags
    except ValidationError as fault:
        first = fault.errors()[0]
        name = str(first["loc"][0])
        raise _refused(name, given[chosen[name]][name], chosen[name]) from None


def check_flip(name: str, value: str) -> None:
    """Refuse a flip that could not be read back, before it becomes an event."""
    field = known(name)
    if not name.startswith(_FLIPPED_BY_EVENT):
        raise SettingsError(
            f"{name} cannot be flipped by an event",
            why="it is needed before the ledger is open or belongs to one host",
            cure="set it in the environment",
        )
    try:
        Flags.model_validate({name: value})
    except ValidationError:
        raise SettingsError(
            f"{name} cannot be {as_text(value[:80])!r}", why=f"it takes {allowed(field)}", cure="give it one of these"
        ) from None


def explain(name: str, environment: Mapping[str, str], flips: Mapping[str, str]) -> Explained:
    """What a flag is worth, who said so, and what it would roll back."""
    field = known(name)
    value = getattr(read_flags(environment, flips), FIELDS[name])
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    source = _effective_source(name, environment, flips)
    texts = (field.description or "", str(extra["item"]), str(extra["rolls_back"]))
    return Explained(name, as_text(value), source, as_text(field.default), allowed(field), *texts)


def known(name: str) -> FieldInfo:
    if name not in FIELDS:
        # By what is their own: they all begin alike.
        own = {_FAMILY.sub("", field): field for field in FIELDS}
        near = difflib.get_close_matches(_FAMILY.sub("", name.upper()), own, n=1)
        cure = f"did you mean {own[near[0]]}?" if near else "`control-plane flags list` shows them all"
        raise SettingsError(f"there is no flag {name[:80]}", cure=cure)
    return Flags.model_fields[FIELDS[name]]


def allowed(field: FieldInfo) -> str:
    """What may stand behind the equals sign, in words."""
    if field.annotation is bool:
        return "true or false"
    if get_origin(field.annotation) is Literal:
        *first, last = get_args(field.annotation)
        return f"{', '.join(first)} or {last}"
    if field.annotation is int:
        low = next(limit.ge for limit in field.metadata if isinstance(limit, Ge))
        high = next((limit.le for limit in field.metadata if isinstance(limit, Le)), None)
        return f"a whole number from {low} to {high}" if high is not None else f"a whole number from {low}"
    return "names with commas between" if get_origin(field.annotation) is tuple else "text"


def as_text(value: object) -> str:
    """A value as it would stand in the environment, but never a password."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else _PASSWORD.sub(r"\1:***@", str(value))


def _source(name: str, environment: Mapping[str, str], flips: Mapping[str, str]) -> Source:
    # An empty variable is one that somebody meant to unset.
    if environment.get(name, "").strip():
        return "environment"
    return "ledger" if name in flips and name.startswith(_FLIPPED_BY_EVENT) else "default"


def _undone(flags: Flags, chosen: Mapping[str, Source]) -> dict[str, tuple[str, Source]]:
    """What milestones that are switched off roll back; a flag that was told at a higher place stays as it is."""
    return {
        name: (value, chosen[milestone.switch])
        for milestone in MILESTONES
        if not getattr(flags, FIELDS[milestone.switch])
        for name, value in rolled_back(milestone).items()
        if _RANK.index(chosen[name]) <= _RANK.index(chosen[milestone.switch])
    }


def _effective_source(name: str, environment: Mapping[str, str], flips: Mapping[str, str]) -> Source:
    """Who said so: the flag itself, or the switch of its milestone."""
    chosen = {flag: _source(flag, environment, flips) for flag in FIELDS}
    undone = _undone(read_flags(environment, flips), chosen)
    return undone[name][1] if name in undone else chosen[name]


def _refused(name: str, value: str, source: Source) -> SettingsError:
    where = "a flip in the ledger" if source == "ledger" else "the environment"
    return SettingsError(
        f"{name}={as_text(value[:80])} in {where} cannot be used",
        why=f"it takes {allowed(known(name))}",
        cure="mend or unset it",
    )
