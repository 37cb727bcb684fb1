"""Where arms come from: code, `control-plane.toml`, `opencode.json`, or an example that says that it is one."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from ..errors import SettingsError
from .terms import Arm, Arms, Policy

FILE = "control-plane.toml"
EXAMPLE = "this catalogue is an example: name your own models in control-plane.toml"

EXAMPLES: tuple[Arm, ...] = (
    Arm("anthropic/sonnet", model="anthropic/claude-sonnet-4-5", price_in=3.0, price_out=15.0, prior=0.65),
    Arm("openai/gpt", model="openai/gpt-5.1", price_in=1.25, price_out=10.0, prior=0.62),
    Arm("openai/mini", model="openai/gpt-5-mini", price_in=0.25, price_out=2.0, prior=0.5),
    Arm.cascade("mini-then-sonnet", [("openai/mini", "tests"), ("anthropic/sonnet", None)], prior=0.68),
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`control-plane.toml`: the arms, and a policy where the default does not fit."""

    arms: tuple[Arm, ...] = ()
    policy: Policy = Policy()


def read_settings(folder: Path) -> Settings | None:
    path = folder / FILE
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Settings)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, OSError) as fault:
        raise SettingsError(f"{path} cannot be read", why=str(fault)) from None


def arms_of_opencode(path: Path) -> tuple[Arm, ...]:
    """One arm for each model that an `opencode.json` configures."""
    try:
        config: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        providers: dict[str, Any] = config.get("provider") or {}
        found = {
            f"{provider}/{model}": _arm(f"{provider}/{model}", traits or {})
            for provider, settings in providers.items()
            for model, traits in (settings.get("models") or {}).items()
        }
        for name in (config.get("model"), config.get("small_model")):
            if name:
                found.setdefault(name, Arm(name, model=name))
    except (msgspec.DecodeError, OSError, AttributeError, TypeError) as fault:
        raise SettingsError(f"{path} is not an OpenCode configuration", why=str(fault)) from None
    return tuple(found.values())


def choose_arms(given: Any, settings: Settings | None) -> tuple[Arms, bool]:
    """The catalogue, and whether it is only the example."""
    if given is not None:
        return Arms(tuple(given)), False
    if settings is not None and settings.arms:
        return Arms(settings.arms), False
    return Arms(EXAMPLES), True


def as_toml(arms: tuple[Arm, ...]) -> str:
    """The settings file that `init` writes: names, models and prices, to be edited by a person."""
    lines = ["# Arms of the control plane. Prices are dollars a million tokens.", ""]
    for arm in arms:
        lines.append("[[arms]]")
        for name, value in msgspec.to_builtins(arm).items():
            if value not in (None, (), [], 0.0):
                lines.append(f"{name} = {msgspec.json.encode(value).decode()}")
        lines.append("")
    return "\n".join(lines)


def _arm(name: str, traits: dict[str, Any]) -> Arm:
    cost, limit = traits.get("cost") or {}, traits.get("limit") or {}
    return Arm(
        name,
        model=name,
        price_in=float(cost.get("input", 0.0)),
        price_out=float(cost.get("output", 0.0)),
        context=limit.get("context"),
    )
