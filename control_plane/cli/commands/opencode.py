"""`opencode` puts the plugin where OpenCode loads it, turns auto on and off, sets limits, and says how it stands."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import extras
from ...errors import BadInput
from ...replacing import replace
from ..command import argument, command
from ..printing import Output, pairs

if TYPE_CHECKING:
    from ...opencode.installing import Model
    from ...turns.events import Limits
    from ...turns.state import Turns

SUCCESS = (
    "stop checks green on the same tree, /good, or a runner's verdict; idle is not success, a revert is weak evidence"
)
_WHERE = (
    argument("--global", dest="everywhere", action="store_true", help="for every project of this user, not this one"),
    argument("--opencode", metavar="PROGRAM", help="the OpenCode to ask; by default the one on the search path"),
)


@command(
    "opencode install",
    "put the plugin where OpenCode loads it; it observes, and changes nothing until auto is on",
    "control-plane opencode install --unchecked",
    "control-plane opencode install --remove",
    arguments=(
        *_WHERE,
        argument("--remove", action="store_true", help="take the plugin away again"),
        argument("--wait-ms", type=int, metavar="MS", help="what a turn under auto waits for advice, at most; 40"),
        argument("--idle-minutes", type=float, metavar="N", help="when the plugin's server ends unasked; 10, 0 never"),
        argument("--attended", action="store_true", help="somebody answers questions even where there is no terminal"),
        argument("--unchecked", action="store_true", help="do not ask OpenCode its version and its models"),
    ),
)
def install(arguments: argparse.Namespace, out: Output) -> int:
    from ...opencode import installing
    from ...opencode.running import find_binary, version_of
    from ..homes import named_home
    from ..planes import made

    home, folder, plugins = named_home(arguments), _folder(arguments), _plugins(arguments)
    if arguments.remove:
        return _remove(home.root, plugins, out)
    extras.need("serve", "what the plugin asks")
    version, models = "", list["Model"]()
    if not arguments.unchecked:
        binary = find_binary(arguments.opencode)
        # It starts twice, and slowly; who waits should know for whom.
        out.say(f"asking {binary} for its version and its models; that takes some seconds")
        version = version_of(binary)
        models = installing.connected_models(binary, Path.cwd(), os.environ)
    made(home)
    added, catalogue = _list_models(folder, models)
    root = home.root.resolve()
    settings: dict[str, Any] = {
        "home": str(root), "folder": str(folder), "opencode": version,
        "command": installing.command(root, _idle(arguments)),
    } | _waiting(arguments)  # fmt: skip
    path = installing.install(plugins, settings)
    facts = {
        "plugin": str(path), "home": settings["home"], "opencode": version, "models": len(models), "added": added,
        "catalogue": str(catalogue),
    }  # fmt: skip
    rows = [
        ("plugin", f"{path}  OpenCode loads it when it starts next"),
        ("opencode", f"{version}  {len(models)} models connected" if version else "not asked"),
        ("catalogue", f"{catalogue}  {added} models added"),
        ("ledger", f"{settings['home']}"),
        ("mode", "observe: advice is recorded beside what OpenCode does; control-plane opencode auto on"),
    ]
    out.answer(facts, pairs(rows))
    return 0


def _remove(root: Path, plugins: Path, out: Output) -> int:
    from ...opencode import installing, resident

    removed = installing.remove(plugins)
    stopped = root.is_dir() and resident.stop(root)
    word = "removed" if removed else "was not there"
    facts = {"removed": removed, "stopped": stopped, "plugin": str(plugins / installing.FILE)}
    out.answer(facts, pairs([("plugin", f"{facts['plugin']}  {word}"), ("ledger", f"{root}  is kept")]))
    return 0


def _waiting(arguments: argparse.Namespace) -> dict[str, Any]:
    """Whom the plugin waits for, and how long."""
    told: dict[str, Any] = {"attended": True} if arguments.attended else {}
    if arguments.wait_ms is not None:
        if not 1 <= arguments.wait_ms <= 60_000:
            raise BadInput("--wait-ms is a number from 1 to 60000")
        told["wait_ms"] = arguments.wait_ms
    return told


def _idle(arguments: argparse.Namespace) -> float | None:
    from .opencode_serve import checked_minutes

    return None if arguments.idle_minutes is None else checked_minutes(arguments.idle_minutes)


@command(
    "opencode status",
    "what is installed, what is running, what is known of the turns, what is spent",
    "control-plane opencode status",
    arguments=_WHERE,
)
def status(arguments: argparse.Namespace, out: Output) -> int:
    from ...opencode import installing, resident
    from ..homes import named_home
    from ..turning import turns_of

    home, plugins = named_home(arguments), _plugins(arguments)
    found = installing.installed(plugins)
    state = turns_of(arguments) if home.exists() else None
    address = resident.announced_at(home.root)
    alive = address is not None and resident.healthy(address)
    trouble = installing.read_json(home.root / installing.TROUBLE)
    facts: dict[str, Any] = {
        "installed": found is not None, "plugin": str(plugins / installing.FILE),
        "current": found is not None and installing.current(plugins), "serving": alive,
        "url": address.url if address is not None and alive else None, "trouble": trouble.get("what"),
        "success_means": SUCCESS,
    }  # fmt: skip
    rows = [
        ("plugin", f"{facts['plugin']}  {_installed(facts)}"),
        ("server", _server(facts)),
    ]
    if trouble:
        rows.append(
            ("trouble", f"{trouble.get('what')}  since {_time(trouble.get('at', 0.0))}; OpenCode goes on without")
        )
    if state is not None:
        facts |= _known_of(state)
        rows += _told_of(state, facts)
    if found is None and facts.get("auto"):
        rows.append(("auto", "on, but no plugin offers control-plane/auto here: control-plane opencode install"))
    out.answer(facts, pairs(rows))
    return 0


def _server(facts: dict[str, Any]) -> str:
    if facts["serving"]:
        return str(facts["url"])
    return "not running; the plugin starts it when it is needed" if facts["installed"] else "not running"


def _known_of(state: "Turns") -> dict[str, Any]:
    import msgspec

    from ...clock import Clock
    from ...turns.state import Spent, day_of

    day = state.days.get(day_of(Clock().now()), Spent())
    return {
        "auto": state.auto, "incumbent": state.incumbent, "turns": state.begun, "ended": state.ended,
        "known": state.known, "known_share": state.known / state.ended if state.ended else 0.0,
        "moved": state.moved, "unadvised": state.unadvised, "imported": state.imported,
        "limits": msgspec.to_builtins(state.limits),
        "day_usd": day.usd, "day_requests": day.requests,
    }  # fmt: skip


def _told_of(state: "Turns", known: dict[str, Any]) -> list[tuple[str, str]]:
    spent = f"${known['day_usd']:.2f}, {known['day_requests']:,} requests on subscriptions"
    alone = f", {state.unadvised:,} under auto without advice" if state.unadvised else ""
    return [
        ("mode", f"auto, beside {state.incumbent or 'no incumbent yet'}" if state.auto else "observe"),
        ("turns", f"{state.begun:,} begun, {state.ended:,} ended, {state.moved:,} moved to another model{alone}"),
        ("known", f"{state.known:,} of {state.ended:,} outcomes ({known['known_share']:.0%})"),
        ("success", SUCCESS),
        ("today", f"{spent}; {_limits(state.limits)}"),
    ]


@command(
    "opencode auto",
    "make control-plane/auto a model that can be selected, or let OpenCode choose alone again",
    "control-plane opencode auto on",
    "control-plane opencode auto off",
    arguments=(
        argument("state", choices=("on", "off"), help="on or off"),
        argument("--incumbent", metavar="MODEL", help="whose success auto must keep; by default the one used most"),
        argument("--actor", default="", help="who; by default the user of this system"),
    ),
)
def auto(arguments: argparse.Namespace, out: Output) -> int:
    from ...opencode import installing
    from ..planes import deciding

    on = arguments.state == "on"
    if on:
        _check_plugin(arguments)
    with deciding(arguments) as plane:
        known = plane.turns.models
        if arguments.incumbent and arguments.incumbent not in known:
            raise BadInput(
                f"{arguments.incumbent} is not in the catalogue",
                why=f"it has {', '.join(known)[:200] or 'no model'}",
                cure="control-plane opencode install reads what OpenCode has",
            )
        incumbent = arguments.incumbent or plane.turns.state.incumbent or _configured(known)
        plane.turns.switch(on=on, actor=_actor(arguments), incumbent=incumbent)
        installing.write_json(plane.token_file.parent / installing.AUTO, {"on": on})
        incumbent = plane.turns.state.incumbent
    facts = {"auto": on, "incumbent": incumbent}
    lines = ["auto is off: OpenCode chooses alone, and advice is recorded beside it"]
    if on:
        lines = [
            "auto is on: select the model control-plane/auto, once OpenCode is started again",
            f"its success is kept within two points of {incumbent or 'the model that is used most'}",
        ]
    out.answer(facts, lines)
    return 0


def _check_plugin(arguments: argparse.Namespace) -> None:
    """A model that nobody offers cannot be selected: refuse, and say what is missing."""
    from ...opencode import installing
    from ..homes import named_home

    extras.need("serve", "what the plugin asks")
    home = str(named_home(arguments).root.resolve())
    found = installing.found(Path.cwd(), os.environ)
    if home in (one.settings.get("home") for one in found):
        return
    raise BadInput(
        "no plugin of OpenCode asks this home, so control-plane/auto would be no model",
        why=f"{found[0].path} asks {found[0].settings.get('home')}" if found else "none is installed",
        cure="control-plane opencode install, then opencode auto on again",
    )


@command(
    "opencode limit",
    "what a session and a day may take; the step that would cross a limit does not start",
    "control-plane opencode limit --session-usd 5 --day-usd 20",
    "control-plane opencode limit --none",
    arguments=(
        argument("--session-usd", type=float, metavar="USD", help="dollars a session"),
        argument("--day-usd", type=float, metavar="USD", help="dollars a day (UTC)"),
        argument("--session-requests", type=int, metavar="N", help="requests a session on subscriptions"),
        argument("--day-requests", type=int, metavar="N", help="requests a day on subscriptions"),
        argument("--none", action="store_true", help="take all limits away first"),
        argument("--actor", default="", help="who; by default the user of this system"),
    ),
)
def limit(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...turns.events import Limits
    from ..planes import deciding

    told = {name: getattr(arguments, name) for name in Limits.__struct_fields__}
    told = {name: value for name, value in told.items() if value is not None}
    if any(not 0 <= value < 1e9 for value in told.values()):
        raise BadInput("a limit is a number from 0", cure="as in --day-usd 20")
    with deciding(arguments) as plane:
        before = Limits() if arguments.none else plane.turns.state.limits
        limits = msgspec.structs.replace(before, **told)
        if limits != plane.turns.state.limits:
            plane.turns.limit(limits, _actor(arguments))
    out.answer(msgspec.to_builtins(limits), [_limits(limits)])
    return 0


def _folder(arguments: argparse.Namespace) -> Path:
    """Where control-plane.toml lies, which the server reads."""
    if not arguments.everywhere:
        return Path.cwd()
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    folder = Path(base) / "control-plane"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _plugins(arguments: argparse.Namespace) -> Path:
    from ...opencode.installing import plugin_folder

    return plugin_folder(None if arguments.everywhere else Path.cwd(), os.environ)


def _list_models(folder: Path, models: "list[Model]") -> tuple[int, Path]:
    """Connected models that the catalogue lacks are added to it; what a person wrote stays."""
    from ...router.catalogue import FILE, arms_of_opencode, as_toml, opencode_file, read_settings
    from ...router.terms import Arm

    path = folder / FILE
    arms = tuple(
        Arm(one.name, model=one.name, price_in=one.price_in, price_out=one.price_out, context=one.context)
        for one in models
    )
    if not arms and (source := opencode_file(folder)) is not None:
        arms = arms_of_opencode(source)
    settings = read_settings(folder)
    known = {arm.served_by for arm in settings.arms} if settings is not None and not settings.example else set()
    new = tuple([arm for arm in arms if arm.served_by not in known])
    if not new:
        return 0, path
    if known and path.exists():
        text = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + as_toml(new).split("\n", 2)[2]
    else:
        text = as_toml(new)
    replace(path, text.encode())
    return len(new), path


def _configured(known: tuple[str, ...]) -> str | None:
    """The model that the project's OpenCode is configured to use."""
    from ...jsonc import loads
    from ...router.catalogue import opencode_file

    path = opencode_file(Path.cwd())
    try:
        told = loads(path.read_bytes()) if path is not None else {}
    except (OSError, ValueError):
        return None
    model = told.get("model") if isinstance(told, dict) else None
    return model if isinstance(model, str) and model in known else None


def _actor(arguments: argparse.Namespace) -> str:
    return str(arguments.actor or os.environ.get("USER") or "somebody")


def _installed(facts: dict[str, Any]) -> str:
    if not facts["installed"]:
        return "not installed"
    return "installed" if facts["current"] else "installed by another version; install it again"


def _limits(limits: "Limits") -> str:
    told = []
    for name in limits.__struct_fields__:
        of, _, unit = name.partition("_")
        if (value := getattr(limits, name)) is not None:
            told.append(f"${value:g} a {of}" if unit == "usd" else f"{value:,} requests a {of}")
    return f"limits: {', '.join(told)}" if told else "no limits"


def _time(at: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
