"""What a check reads of the disk stays there: no answer and no event tells a caller the text of a file or a variable."""

from pathlib import Path

import pytest

from control_plane.guardrails import answering
from control_plane.guardrails.terms import Decision

SECRET = "Zx81SPECTRUM"
ENFORCE = {"OPENCODE_ENFORCEMENT_MODE": "enforce"}
PLACE = ".claude/skills/{}/skill-rules.json"
WAYS = [
    "echo x > " + PLACE.format("$(cat {})"),
    "echo x > " + PLACE.format("$(< {})"),
    "for w in $(cat {}); do rm " + PLACE.format("$w") + "; done",
    "read w < {}; rm " + PLACE.format("$w"),
    "mapfile a < {}; rm " + PLACE.format("${{a[0]}}"),
    "cat {} | while read w; do rm " + PLACE.format("$w") + "; done",
    "cp {} mine; rm " + PLACE.format("$(cat mine)"),
    "awk -i inplace -f {} notes; rm " + PLACE.format("$(cat notes)"),
    "ln -s {} mine; rm " + PLACE.format("$(cat mine)"),
    ". {}; rm " + PLACE.format("$value"),
    "cat {} | xargs -I@ rm " + PLACE.format("@"),
    "$(cat {}) -o " + PLACE.format("x"),
    "rm " + PLACE.format("$(sh {})"),
]


@pytest.fixture
def places(project: Path, home: Path, tmp_path: Path, plane) -> dict[str, Path]:
    """Files whose text is not for those who may ask whether a call may go on."""
    other = project / "elsewhere-home"
    other.mkdir()
    (other / "home.json").write_text("{}")
    found = {
        "the home": home / "token", "another home": other / "token.txt", "keys": project / "certs/server.pem",
        "dotenv": project / ".env", "outside": tmp_path / "theirs.txt", "git": project / ".git/config",
        "a link outside": project / "innocent.txt",
    }  # fmt: skip
    for name, path in found.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "a link outside":
            path.symlink_to(found["outside"])
        else:
            path.write_text(f"value={SECRET}\n" if name in ("dotenv", "outside") else SECRET)
    return found


@pytest.mark.parametrize("command", WAYS)
def test_no_way_to_read_a_file_that_is_not_the_projects(guard, plane, places, command):
    for place in places.values():
        told = answering.check(guard, "bash", {"command": command.format(place)}, session="s", told=ENFORCE)
        assert SECRET not in repr(told)
        guard.finished("bash", {"command": command.format(place)}, session="s")
    guard.save_sessions()
    plane.flush()
    assert all(SECRET.encode() not in row[4] for row in plane.ledger.rows(0, 1000))
    assert not [path for path in Path(".opencode/cache").rglob("*.json") if SECRET in path.read_text()]


@pytest.mark.parametrize("name", ["notes.txt", "theirs"])
def test_what_the_project_or_the_command_itself_says_still_counts_but_is_not_repeated(guard, plane, project, name):
    Path("notes.txt").write_text("src/db/" + SECRET)
    command = f"echo x > $(cat {name})" if name == "notes.txt" else f"echo src/db/{SECRET} > f; rm $(cat f)"
    told = answering.check(guard, "bash", {"command": command}, session="s", told=ENFORCE)
    assert (told.decision, told.rule) == (Decision.BLOCK, "database-verification")
    assert (SECRET in told.message) == (name == "theirs")
    assert ("src/db/…" in told.message) == (name == "notes.txt")
    assert guard.replay().same == 1


def test_a_rule_that_names_the_hidden_part_still_holds(guard, project):
    Path("one.txt").write_text("schema.prisma")
    Path("two.txt").write_text(SECRET + ".pem")
    for command, rule in (
        ("rm prisma/$(cat one.txt)", "database-verification"),
        ("rm x/$(cat two.txt)", "secrets-guard"),
    ):
        told = answering.check(guard, "bash", {"command": command}, session="s", told=ENFORCE)
        assert (told.decision, told.rule, SECRET in told.message) == (Decision.BLOCK, rule, False)
    assert guard.replay().same == 2


@pytest.mark.parametrize("command", ["rm $PRICE_KEY/x", "rm .claude/skills/$PRICE_KEY/skill-rules.json"])
def test_a_caller_elsewhere_is_not_told_our_environment(guard, plane, command, monkeypatch):
    monkeypatch.setenv("PRICE_KEY", SECRET)
    told = answering.check(guard, "bash", {"command": command}, session="s", told=ENFORCE)
    assert (told.decision, SECRET in repr(told)) == (Decision.BLOCK, False)
    plane.flush()
    assert all(SECRET.encode() not in row[4] for row in plane.ledger.rows(0, 1000))


@pytest.mark.parametrize(
    "command",
    ["cp {}/* src/db/", "for f in $(ls {}); do rm src/db/$f; done", "mv {} src/db/", "rm {}/*", "cp -r {}/. src/db",
     "for f in {}/**; do rm src/db/$(basename $f); done", "tar xf {}/a.tar -C src/db", "rm link/*"],
)  # fmt: skip
def test_names_of_files_outside_the_project_are_not_told(guard, plane, tmp_path, project, command):
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / f"{SECRET}.ts").write_text("x")
    Path("link").symlink_to(folder)
    told = answering.check(guard, "bash", {"command": command.format(folder)}, session="s", cwd=str(tmp_path), told={})
    told = answering.check(guard, "bash", {"command": command.format(folder)}, session="s", told={})
    assert SECRET not in repr(told)
    plane.flush()
    assert all(SECRET.encode() not in row[4] for row in plane.ledger.rows(0, 1000))


def test_a_glob_from_outside_still_leads_into_the_project(guard, project):
    up = "/".join(["*"] * len(project.parts[1:]))
    for command in (f"rm /{up}/src/db/client.ts", "rm /**/src/db/client.ts", "find / -name client.ts -delete"):
        told = answering.check(guard, "bash", {"command": command}, session="s", told=ENFORCE)
        assert (told.decision, told.rule) == (Decision.BLOCK, "database-verification"), command


def test_a_script_outside_the_project_is_read_for_what_it_writes_and_nothing_else(guard, project, tmp_path):
    script = tmp_path / "x.sh"
    script.write_text(f"value=src/db\nrm src/db/{SECRET}\n")
    for command in (f"sh {script}", f". {script}"):
        told = answering.check(guard, "bash", {"command": command}, session="s", told=ENFORCE)
        assert (told.decision, told.rule, SECRET in repr(told)) == (Decision.BLOCK, "database-verification", False)
    (tmp_path / "good.sh").write_text("echo building > build.log\n")
    told = answering.check(guard, "bash", {"command": f"bash {tmp_path}/good.sh"}, session="s", told=ENFORCE)
    assert told.decision is Decision.ALLOW
