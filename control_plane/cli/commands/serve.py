"""`serve` opens the plane over HTTP, on loopback."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import extras
from ...errors import BadInput
from ..command import argument, command
from ..printing import Output, pairs

if TYPE_CHECKING:
    from ...access.tokens import Issuer


@command(
    "serve",
    "the HTTP API, on loopback with a token of its own",
    "control-plane serve --port 0 --check",
    arguments=[
        argument("--host", default="127.0.0.1", help="the address to listen on"),
        argument("--port", type=int, default=8787, help="0 takes a free one"),
        argument("--jwks", metavar="FILE", help="public keys of an issuer whose JWTs are let in"),
        argument("--issuer", metavar="NAME", help="the name (iss) of that issuer"),
        argument("--name", action="append", default=[], metavar="HOST", help="asked under that name too; repeatable"),
        argument("--bridge", metavar="FILE", help="whom the bridge wakes how; else the home's bridge.toml, if any"),
        argument("--no-wakes", action="store_true", help="wake nobody: `bridge supervise` does it elsewhere"),
        argument("--check", action="store_true", help="make the token, try the address, say both, and end"),
        argument("--expose", action="store_true", help="allow an address that is not loopback"),
    ],
)
def serve(arguments: argparse.Namespace, out: Output) -> int:
    extras.need("serve", "serving")
    from ...api.serving import listening, log_as_json, token_of
    from ...api.serving import serve as run
    from ...guardrails.resident import Resident
    from ...plane import ControlPlane
    from ..supervising import settings_of, supervised, supervisor_over

    _check_address(arguments)
    issuers = _issuers(arguments)
    log_as_json()
    with ExitStack() as stack:
        sock = stack.enter_context(listening(arguments.host, arguments.port))
        plane = stack.enter_context(ControlPlane.open(arguments.home, state_dir=arguments.state_dir))
        token_of(plane)
        if not arguments.check:
            # Whoever was told the address may send hooks as well.
            stack.enter_context(Resident.beside(plane.guard))
        settings = None if arguments.no_wakes else settings_of(plane, arguments.bridge)
        if settings is not None:
            # A check makes the supervisor, so that what is wrong with its settings shows, and wakes nobody.
            wakes = supervisor_over if arguments.check else supervised
            stack.enter_context(wakes(plane, settings, _log))
        host, port = sock.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        facts = {"url": url, "token_file": str(plane.token_file)}
        out.answer(facts, pairs([("url", url), ("token", f"{plane.token_file}  send it as Authorization: Bearer")]))
        out.flush()
        if not arguments.check:
            run(plane, sock, issuers, arguments.name)
    return 0


def _log(told: dict[str, Any]) -> None:
    import structlog

    structlog.get_logger("control_plane.bridge").info(told.pop("event"), **told)


def _issuers(arguments: argparse.Namespace) -> "dict[str, Issuer]":
    from ...access.tokens import read_jwks

    if bool(arguments.jwks) != bool(arguments.issuer):
        raise BadInput(
            "--jwks and --issuer belong together",
            why="keys count for the issuer that is named",
            cure="name both, as in --jwks keys.json --issuer https://issuer.example, or neither",
        )
    if not arguments.jwks:
        return {}
    return {arguments.issuer: read_jwks(Path(arguments.jwks), arguments.issuer)}


def _check_address(arguments: argparse.Namespace) -> None:
    import ipaddress

    host = arguments.host
    if not 0 <= arguments.port <= 65_535:
        raise BadInput(
            f"--port is {arguments.port}", why="a port is a number from 0 to 65535", cure="0 takes a free one"
        )
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise BadInput(f"{host} is no address", cure="name an IP address, 127.0.0.1 for this machine only") from None
    if not loopback and not arguments.expose:
        raise BadInput(
            f"{host} can be reached from outside", cure="add --expose when that is meant, behind TLS of your own"
        )
