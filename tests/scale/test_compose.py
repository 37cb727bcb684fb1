"""The compose file says only what the program knows, shows nothing but loopback, and its command works."""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.cli.command import load
from control_plane.cli.parsing import build, complete_arguments
from control_plane.errors import ControlPlaneError
from control_plane.ledger.postgres_address import PostgresAddress
from control_plane.proving.database import Server, postgres

PROJECT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS, THEIRS = SERVICES["control-plane"], SERVICES["postgres"]
# What the image of PostgreSQL reads.
IMAGE_VARIABLES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE"}
SECRET = "/run/secrets/postgres_password"


def script(service: dict[str, Any]) -> str:
    """What the shell is given, as compose hands it over."""
    shell, option, text = service["command"]
    assert (shell, option) == ("sh", "-c")
    return str(text).replace("$$", "$")


def served(service: dict[str, Any]) -> list[str]:
    """The words of the program itself."""
    _, _, command = script(service).partition("exec control-plane ")
    return shlex.split(command)


def check_compose(services: dict[str, dict[str, Any]], secrets: dict[str, Any]) -> None:
    """Commands, variables, ports, health and secrets of a compose file."""
    ours, theirs = services["control-plane"], services["postgres"]
    words = served(ours)
    arguments = complete_arguments(build(load(words)), words)
    assert arguments.run.__name__ == "serve"
    sources = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "control_plane").rglob("*.py"))
    unknown = [name for name in ours["environment"] if not re.search(rf"\b{name}\b", sources)]
    assert not unknown, f"the program does not read {unknown}"
    assert set(theirs["environment"]) <= IMAGE_VARIABLES
    address = PostgresAddress.parse(ours["environment"]["CONTROL_PLANE_HOME"])
    assert (f"@{'postgres'}/" in address.url, address.database) == (True, theirs["environment"]["POSTGRES_DB"])
    assert f"//{theirs['environment']['POSTGRES_USER']}@" in address.url, "a password belongs into a secret"
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", ()))
    assert ours["ports"][0].endswith(f":{arguments.port}")
    (test,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", " ".join(ours["healthcheck"]["test"]))
    assert test == (str(arguments.port), "/ready")
    assert theirs["healthcheck"]["test"][1] == "pg_isready"
    assert ours["depends_on"]["postgres"]["condition"] == "service_healthy"
    for service in services.values():
        assert service["secrets"] == ["postgres_password"]
        text = json.dumps(service)
        assert not re.search(r'(?i)password": "(?!/run/secrets/)', text), "a password stands in the file"
        assert SECRET in text
    assert set(secrets["postgres_password"]) == {"file"}
    assert ours["environment"]["CONTROL_PLANE_STATE"] in {volume.partition(":")[2] for volume in ours["volumes"]}


@pytest.mark.requirement("SHIP-31")
def test_the_compose_file_says_only_what_the_program_knows() -> None:
    check_compose(SERVICES, COMPOSE["secrets"])


FAULTS: dict[str, tuple[str, str]] = {
    "a flag that serve does not have": ("--expose", "--exposed"),
    "a port for everybody": ("127.0.0.1:8787-8794", "8787-8794"),
    "a variable that nobody reads": ("CONTROL_PLANE_STATE", "CONTROL_PLANE_STATES"),
    "a page that is not served": ("/ready", "/alive"),
    "a password in the address": ("control_plane@postgres", "control_plane:secret@postgres"),
    "a password in the environment": ("POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password", "POSTGRES_PASSWORD: x"),
    "another database": ("POSTGRES_DB: control_plane", "POSTGRES_DB: other"),
}


@pytest.mark.parametrize(("before", "after"), FAULTS.values(), ids=FAULTS)
def test_a_compose_file_that_does_not_fit_is_seen(before: str, after: str) -> None:
    text = (PROJECT / "compose.yaml").read_text(encoding="utf-8")
    assert before in text
    changed = yaml.safe_load(text.replace(before, after))
    with pytest.raises((AssertionError, ControlPlaneError)):
        check_compose(changed["services"], changed["secrets"])


@pytest.mark.requirement("SHIP-31")
def test_the_image_installs_hashed_packages_and_gives_root_to_nobody() -> None:
    lines = (PROJECT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (installs,) = [line for line in lines if "-r requirements/" in line]
    assert "--require-hashes" in installs
    assert (PROJECT / "requirements/serve.txt").is_file()
    assert "USER control_plane" in lines
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert all((PROJECT / name).exists() for name in copied)
    assert "/secrets/" in (PROJECT / ".gitignore").read_text(encoding="utf-8").splitlines()


def with_password(server: Server, user: str, password: str) -> None:
    """A role of its own database that is let in by its password only."""
    import psycopg

    rules = server.folder / "pg_hba.conf"
    rules.write_text(f"local {user} {user} scram-sha-256\n" + rules.read_text())
    with psycopg.connect(f"postgresql://postgres@/postgres?host={server.host}", autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
        connection.execute(f"CREATE DATABASE {user} OWNER {user}")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def running(folder: Path, host: str, secret: Path) -> Iterator[tuple[str, str]]:
    """The command of the compose file, with this machine's paths in the place of a container's."""
    command = script(OURS).replace(SECRET, str(secret)).replace("--port 8787", "--port 0 --json")
    command = command.replace("control-plane serve", f"{sys.executable} -m control_plane serve")
    address = OURS["environment"]["CONTROL_PLANE_HOME"].replace("@postgres/", "@/") + f"?host={host}"
    environment = {
        **os.environ, "PYTHONPATH": str(PROJECT), "CONTROL_PLANE_HOME": address,
        "CONTROL_PLANE_STATE": str(folder / "state"),
    }  # fmt: skip
    with subprocess.Popen(
        ["sh", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            port = told["url"].rsplit(":", 1)[1]
            yield f"http://127.0.0.1:{port}", Path(told["token_file"]).read_text().strip()
        finally:
            process.terminate()
            assert process.wait(30) == 0


def ask(url: str, token: str = "", body: dict[str, Any] | None = None) -> Any:
    told = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
    told.add_header("Content-Type", "application/json")
    told.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(told, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


@pytest.mark.long
@pytest.mark.requirement("SHIP-31")
def test_two_processes_serve_one_log_by_the_command_of_the_compose_file(tmp_path: Path) -> None:
    secret = tmp_path / "postgres_password"
    secret.write_text("correct-horse\n")
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        with_password(server, THEIRS["environment"]["POSTGRES_USER"], "correct-horse")
        (one, token), (other, same) = (stack.enter_context(running(tmp_path, server.host, secret)) for _ in range(2))
        assert token == same
        for url in (one, other):
            assert ask(f"{url}/ready")["ready"] is True
        advice = ask(f"{one}/api/advise", token, {"type": "code.fix"})
        ask(f"{other}/api/results", token, {"decision_id": advice["decision_id"], "success": True})
        found = ask(f"{one}/api/decisions/{advice['decision_id']}", token)
        assert found["arm"] == advice["arm"]
