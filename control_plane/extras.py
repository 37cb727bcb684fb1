"""Optional packages: whether they are there, and the command that installs them where this program came from."""

import importlib.util
import shlex
import sys
from pathlib import Path

from .errors import MissingExtra

PACKAGE = "opencode-control-plane"
# What is imported of each; `pyproject.toml` says where it comes from.
MODULES = {
    "serve": ("httptools", "joserfc", "litestar", "prometheus_client", "structlog", "uvicorn"),
    "mcp": ("joserfc", "mcp"),
    "postgres": ("psycopg", "psycopg_pool"),
    "flags": ("openfeature",),
    "evals": ("ir_measures",),
}


def lacking(extra: str) -> list[str]:
    """The modules of an extra that are not installed."""
    return [name for name in MODULES[extra] if importlib.util.find_spec(name) is None]


def need(extra: str, what: str) -> None:
    """Refuse where the extra is not installed, before anything is begun that could not work."""
    missing = lacking(extra)
    if missing:
        raise MissingExtra(f"{what} needs {', '.join(missing)}", cure=install(extra))


def install(*extras: str) -> str:
    """The command that adds these to this very installation; a checkout stays the program that runs."""
    wanted = f"[{','.join(extras)}]" if extras else ""
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return f"{pip} --editable {shlex.quote(f'{checkout}{wanted}')}"
    origin = _origin()
    return f"{pip} {shlex.quote(f'{PACKAGE}{wanted} @ {origin}' if origin else f'{PACKAGE}{wanted}')}"


def _origin() -> str:
    """The folder or file that it was installed from, where no index was asked."""
    import json  # noqa: PLC0415 - slow to import, and hardly ever needed
    from importlib import metadata  # noqa: PLC0415

    try:
        told = metadata.distribution(PACKAGE).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return ""
    return str(json.loads(told).get("url", "")) if told else ""
