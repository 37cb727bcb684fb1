"""The signature beside evidence: only what was signed, as it was signed, by a key that counts, is believed."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_plane.errors import EvidenceInvalid
from control_plane.evidence import is_evidence, sidecar, sign, verify, write
from control_plane.evidence.shelf import on_shelf
from control_plane.evidence.store import PREDICATE_TYPE
from control_plane.ledger.dsse import seal, statement
from control_plane.ledger.notes import Signer
from tests.evidence.samples import sample


def signer() -> Signer:
    return Signer("test", Ed25519PrivateKey.generate())


OURS, OTHERS = signer(), signer()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(sample(at=1_800_000_000.0), tmp_path, {"rows.json": b"[1]"})


@pytest.mark.requirement("GOV-37")
def test_evidence_is_signed_beside_its_file_as_an_in_toto_statement(path: Path) -> None:
    before = path.read_bytes()
    beside = sign(path, OURS)
    assert beside.name == f"{path.stem}.dsse.json"
    assert path.read_bytes() == before
    envelope = json.loads(beside.read_bytes())
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    stated = json.loads(base64.b64decode(envelope["payload"]))
    assert stated["predicateType"] == PREDICATE_TYPE
    assert [subject["name"] for subject in stated["subject"]] == [path.name, f"{path.stem}/rows.json"]
    verdict = verify(path, [OTHERS.verifier, OURS.verifier])
    assert (verdict.reason, verdict.ok, verdict.key) == ("ok", True, OURS.verifier.hint.hex())


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def resigned(path: Path, kind: str, digest: str, predicate: object) -> None:
    sidecar(path).write_bytes(seal(statement(kind, predicate, {path.name: digest}), OURS))


FAULTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no signature beside it": ("unsigned", lambda path: sidecar(path).unlink()),
    "an envelope without signatures": (
        "unsigned",
        lambda path: rewritten(sidecar(path), lambda text: json.dumps(json.loads(text) | {"signatures": []}).encode()),
    ),
    "half an envelope": ("malformed", lambda path: rewritten(sidecar(path), lambda text: text[:40])),
    "another payload": (
        "unknown-key",
        lambda path: rewritten(sidecar(path), lambda text: json.dumps(json.loads(text) | {"payload": "e30="}).encode()),
    ),
    "a figure changed in the file": ("changed", lambda path: rewritten(path, lambda text: text.replace(b"9,", b"8,"))),
    "a space more in the file": ("changed", lambda path: rewritten(path, lambda text: text + b" ")),
    "a pass that its value contradicts": (
        "invalid",
        lambda path: rewritten(path, lambda text: text.replace(b'"pass": true', b'"pass": false')),
    ),
    "an artifact changed": ("invalid", lambda path: (path.with_suffix("") / "rows.json").write_bytes(b"[2]")),
    "no file": ("invalid", lambda path: path.unlink()),
    "signed as something else": (
        "other-statement",
        lambda path: resigned(path, "https://example.org/other", verify(path, []).digest, json.loads(path.read_text())),
    ),
    "a statement without evidence": (
        "other-statement",
        lambda path: resigned(path, PREDICATE_TYPE, verify(path, []).digest, {"fine": True}),
    ),
    "a statement of other evidence under this digest": (
        "changed",
        lambda path: resigned(
            path, PREDICATE_TYPE, verify(path, []).digest, json.loads(path.read_text()) | {"item": "FG-02"}
        ),
    ),
}


@pytest.mark.requirement("GOV-38", "FG-POLICY-2")
@pytest.mark.parametrize(("reason", "plant"), FAULTS.values(), ids=FAULTS)
def test_every_fault_has_its_reason(path: Path, reason: str, plant: Callable[[Path], object]) -> None:
    sign(path, OURS)
    assert verify(path, [OURS.verifier]).ok
    plant(path)
    verdict = verify(path, [OURS.verifier])
    assert (verdict.reason, verdict.ok) == (reason, False)


def test_a_key_that_does_not_count_and_no_key_at_all(path: Path) -> None:
    sign(path, OURS)
    assert verify(path, [OTHERS.verifier]).reason == "unknown-key"
    assert verify(path, []).reason == "unknown-key"


def test_a_signature_is_never_written_over_and_faulty_evidence_never_signed(path: Path) -> None:
    first = sign(path, OURS).read_bytes()
    assert sign(path, OTHERS).read_bytes() == first
    rewritten(path, lambda text: text.replace(b'"pass": true', b'"pass": false'))
    with pytest.raises(EvidenceInvalid):
        sign(path, OURS)
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


def test_of_each_item_the_newest_file_counts(tmp_path: Path) -> None:
    assert on_shelf(tmp_path / "none", []) == {}
    now = time.time()
    for at in (now - 50, now - 10, now - 30):
        sign(write(sample(at=at), tmp_path), OURS)
    (tmp_path / "broken.json").write_text("{")
    found = on_shelf(tmp_path, [OURS.verifier])
    assert [verdict.evidence.at for verdict in found.values() if verdict.evidence] == [now - 10]
    assert all(verdict.ok for verdict in found.values())
    assert not is_evidence(sidecar(tmp_path / "x.json"))
