"""Where arms come from: code, `control-plane.toml`, `opencode.json`, or an example that says that it is one."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from ..amounts import check_amounts
from ..errors import BadInput, SettingsError
from ..jsonc import loads
from .terms import Arm, Arms, Policy

FILE = "control-plane.toml"
OPENCODE_FILES = ("opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc")
EXAMPLE = "this catalogue is an example: name your own models in control-plane.toml"

EXAMPLES: tuple[Arm, ...] = (
    Arm("anthropic/sonnet", model="anthropic/claude-sonnet-4-5", price_in=3.0, price_out=15.0, prior=0.65),
    Arm("openai/gpt", model="openai/gpt-5.1", price_in=1.25, price_out=10.0, prior=0.62),
    Arm("openai/mini", model="openai/gpt-5-mini", price_in=0.25, price_out=2.0, prior=0.5),
    Arm.cascade("mini-then-sonnet", [("openai/mini", "tests"), ("anthropic/sonnet", None)], prior=0.68),
)

_PARTS = ("tail", "breaker", "health")
_LIKE = "each arm is [[arms]] with a name, as in docs/router.md; `control-plane init` writes an example"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`control-plane.toml`: the arms, and a policy where the default does not fit."""

    arms: tuple[Arm, ...] = ()
    policy: Policy = Policy()
    example: bool = False
    # Read by the governance suite, not by the router.
    fallback_policy: dict[str, Any] = {}
    plugin_lifecycle: dict[str, Any] = {}
    telemetry_fidelity: dict[str, Any] = {}


def read_settings(folder: Path) -> Settings | None:
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
        told = tomllib.loads(text)
        check_words(path, told)
        for arm in told.get("arms", ()):
            # TOML has no null: a step without a verifier is written as its arm alone.
            arm["steps"] = [[*step, None][:2] for step in arm.get("steps", ())]
        check_amounts(told.get("policy", {}), BadInput)
        return msgspec.convert(told, Settings)
    except FileNotFoundError:
        return None
    except tomllib.TOMLDecodeError as fault:
        where = place_of(str(fault), text)
        raise SettingsError(f"{path}, {where}", cure=f"mend that line; {_LIKE}") from None
    except BadInput as fault:
        raise SettingsError(f"{path}: {fault.what}", why=fault.why, cure=fault.cure) from None
    except (msgspec.ValidationError, ValueError, TypeError, AttributeError, OSError) as fault:
        raise SettingsError(f"{path} cannot be read", why=str(fault), cure=_LIKE) from None


def check_words(path: Path, told: dict[str, Any]) -> None:
    """A word that nobody reads is a slip of the pen, and would pass for the default."""
    policy = told.get("policy", {})
    inner = [(f"[policy.{name}]", policy.get(name), type(getattr(Policy(), name))) for name in _PARTS]
    arms = [("[[arms]]", arm, Arm) for arm in told.get("arms", ())]
    every: list[tuple[str, Any, type[msgspec.Struct]]] = [
        ("it", told, Settings),
        ("[policy]", policy, Policy),
        *inner,
        *arms,
    ]
    for where, given, kind in every:
        known = kind.__struct_fields__
        for word in [word for word in given or () if word not in known]:
            near = get_close_matches(word, known, 1, 0.5)
            cure = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise SettingsError(f"{path}: {where} has no {word!r}", cure=cure)


def place_of(said: str, text: str) -> str:
    """`line 3, column 7: what is wrong`; the end of a file is a place too."""
    what, _, place = said.rstrip(")").rpartition(" (at ")
    if not place.startswith("line"):
        lines = text.rstrip().split("\n")
        place = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return f"{place}: {what}"


def arms_of_opencode(path: Path) -> tuple[Arm, ...]:
    """One arm for each model that an `opencode.json` configures."""
    try:
        config: dict[str, Any] = loads(path.read_bytes())
        providers: dict[str, Any] = config.get("provider") or {}
        agents: dict[str, Any] = config.get("agent") or {}
        found = {
            f"{provider}/{model}": _arm(f"{provider}/{model}", traits or {})
            for provider, settings in providers.items()
            for model, traits in (settings.get("models") or {}).items()
        }
        named = [agent.get("model") for agent in agents.values()]
        for name in (config.get("model"), config.get("small_model"), *named):
            if name:
                found.setdefault(name, Arm(name, model=name))
    except (msgspec.DecodeError, OSError, AttributeError, TypeError, ValueError) as fault:
        raise SettingsError(f"{path} is not an OpenCode configuration", why=str(fault)) from None
    return tuple(found.values())


def named_arms(given: Any, settings: Settings | None) -> tuple[Arms, bool] | None:
    """The catalogue of the code or the file, and whether it is only the example; a file has to name one."""
    if given is not None:
        return Arms(tuple(given)), False
    if settings is None:
        return None
    if not settings.arms:
        raise SettingsError(f"{FILE} names no arm", cure=_LIKE)
    return Arms(settings.arms), settings.example


def declared_arms(declared: dict[str, Arm]) -> tuple[Arms, bool]:
    """Those that were last chosen from in this home; in a new one there is only the example."""
    known = tuple(declared.values()) or EXAMPLES
    return Arms(known), known == EXAMPLES


def opencode_file(folder: Path) -> Path | None:
    """The OpenCode configuration of a project, if it has one."""
    return next((path for name in OPENCODE_FILES if (path := folder / name).is_file()), None)


def as_toml(arms: tuple[Arm, ...], *, example: bool = False) -> str:
    """The settings file that `init` writes: names, models and prices, to be edited by a person."""
    lines = ["# Arms of the control plane. Prices are dollars a million tokens.", ""]
    if example:
        lines += ["# Name your own models instead of these, then take this line away:", "example = true", ""]
    for arm in arms:
        lines.append("[[arms]]")
        traits = msgspec.to_builtins(arm)
        traits["steps"] = [[part for part in step if part is not None] for step in arm.steps]
        for name, value in traits.items():
            if value not in (None, (), []):
                lines.append(f"{name} = {msgspec.json.encode(value).decode()}")
        lines.append("")
    return "\n".join(lines)


def _arm(name: str, traits: dict[str, Any]) -> Arm:
    cost, limit = traits.get("cost") or {}, traits.get("limit") or {}
    return Arm(
        name,
        model=name,
        price_in=_price(cost.get("input")),
        price_out=_price(cost.get("output")),
        context=limit.get("context"),
    )


def _price(told: Any) -> float | None:
    return None if told is None else float(told)
