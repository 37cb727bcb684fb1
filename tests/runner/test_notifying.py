"""Webhooks: signed, with an id, until they are taken or dead, and never where a request could do harm."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from control_plane import ControlPlane
from control_plane.clock import Clock
from control_plane.runner.errors import EndpointRefused
from control_plane.runner.notifying import Notifier, verify
from tests.runner.scripted import answering

OK, BUSY, GONE = (200, "text/plain", "ok"), (503, "text/plain", "busy"), (410, "text/plain", "gone")
QUICK = (0.0, 0.0, 0.0, 0.0)


def notifier(**more: object) -> Notifier:
    return Notifier("secret", pauses_s=QUICK, patience_s=5.0, **more)  # type: ignore[arg-type]


@pytest.mark.requirement("RUN-11", "RUN-36", "NOTF-01", "NOTF-02", "NOTF-03")
def test_a_notice_is_signed_and_comes_at_least_once(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "home", background=False) as plane, answering(BUSY, OK) as server:
        plane.runs.owe("r1", [server.url + "/hook?a=1"], {"outcome": "completed"})
        assert plane.runs.deliver(notifier(), threading.Event()) == (1, 0)
        (first, body), (second, again) = server.came
        assert first["x-control-plane-id"] == second["x-control-plane-id"] == json.loads(body)["id"]
        assert body == again
        now = Clock().now()
        told = second["x-control-plane-signature"]
        assert verify("secret", second["x-control-plane-id"], told, body, now)
        assert not verify("other", second["x-control-plane-id"], told, body, now)
        assert not verify("secret", second["x-control-plane-id"], told, body + b" ", now)
        assert not verify("secret", second["x-control-plane-id"], told, body, now + 3600)
        assert plane.runs.deliver(notifier(), threading.Event()) == (0, 0)


def test_the_secret_of_an_address_is_in_no_event_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ControlPlane.open(home, background=False) as plane, answering(OK) as server:
        plane.runs.owe("r1", [server.url + "/hook/s3cret?token=s3cret"], {})
        rows = [bytes(row[4]) for row in plane.ledger.rows(0, 100)]
        assert not any(b"s3cret" in row for row in rows)
        (kept,) = (home / "webhooks").iterdir()
        assert (kept.stat().st_mode & 0o777, (home / "webhooks").stat().st_mode & 0o777) == (0o600, 0o700)
        plane.runs.owe("r1", ["http://gone.example/s3cret"], {})
        next(one for one in (home / "webhooks").iterdir() if one != kept).unlink()
        assert plane.runs.deliver(notifier(), threading.Event()) == (1, 1)
        assert [one.why for one in plane.runs.state.owed.values()] == [
            "the rest of http://gone.example/ is not kept on this machine"
        ]


@pytest.mark.requirement("RUN-37")
def test_what_nobody_takes_is_a_dead_letter_and_can_be_sent_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with answering(*[BUSY] * 5, GONE, OK) as server:
        with ControlPlane.open(home, background=False) as plane:
            plane.runs.owe("r1", [server.url], {})
        # The process went away before it told anybody: the next one does.
        with ControlPlane.open(home, background=False) as plane:
            assert plane.runs.deliver(notifier(), threading.Event()) == (0, 1)
            assert len(server.came) == 5
            assert [one.dead for one in plane.runs.state.owed.values()] == [True]
            assert plane.runs.deliver(notifier(), threading.Event()) == (0, 0)
            assert plane.runs.deliver(notifier(), threading.Event(), dead=True) == (0, 1)
            # A refusal that is meant is not asked again.
            assert len(server.came) == 6
            assert plane.runs.deliver(notifier(), threading.Event(), dead=True) == (1, 0)
            assert plane.runs.state.owed == {}


@pytest.mark.requirement("RUN-38")
@pytest.mark.parametrize(
    ("host", "address"),
    [("intranet", "10.1.2.3"), ("intranet", "192.168.1.1"), ("meta", "169.254.169.254"), ("six", "fd00:ec2::254"),
     ("mapped", "::ffff:10.0.0.1"), ("link", "fe80::1"), ("zero", "0.0.0.0"), ("cgnat", "100.64.0.1"),
     ("metadata.google.internal", "93.184.216.34"), ("multicast", "224.0.0.1")],
)  # fmt: skip
def test_private_and_metadata_addresses_are_refused_unless_allowed(host: str, address: str) -> None:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        return [address]

    with pytest.raises(EndpointRefused, match=r"private|metadata"):
        notifier(resolve=resolve).check(f"http://{host}/hook")
    assert notifier(resolve=resolve, allowed=frozenset((host,))).check(f"http://{host}/hook")[2] == address


@pytest.mark.requirement("RUN-38")
def test_public_and_own_addresses_are_fine_and_one_bad_among_them_is_not() -> None:
    assert notifier(resolve=lambda *_: ["93.184.216.34"]).check("https://example.com/hook")[1] == 443
    assert notifier().check("http://127.0.0.1:9/hook")[1] == 9
    with pytest.raises(EndpointRefused):
        notifier(resolve=lambda *_: ["93.184.216.34", "10.0.0.1"]).check("https://example.com/hook")
    for wrong in ("file:///etc/passwd", "http://", "ftp://example.com", "http://user:pw@example.com/"):
        with pytest.raises(EndpointRefused):
            notifier().check(wrong)


@pytest.mark.parametrize(
    "url", ["http://host:port/x", "http://host:99999", "http://[::1", f"http://{'a' * 80}.example", "x"]
)
def test_what_is_no_address_is_refused_with_a_code(url: str) -> None:
    with pytest.raises(EndpointRefused):
        Notifier("secret").check(url)
