"""Writes the bill of materials: every pinned package that a user may get, with its digests, licence and needs.

usage: python scripts/release/sbom.py [--out FILE] [--json]

CycloneDX 1.6 as JSON, from requirements/extras.txt; what packages say of themselves is read where they are installed.
Exit 0: written and valid; 1: it would not be valid or whole; 3: a package that it speaks of is not installed here.
"""

import argparse
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from typing import NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.markers import Marker
from packaging.requirements import Requirement
from rows import Row, tell

from control_plane import __version__

PROJECT = Path(__file__).parents[2]
PINS = PROJECT / "requirements" / "extras.txt"
NAME, WHAT = "opencode-control-plane", "bill of materials"
# What serves to work on the project, and what brings a model of its own.
LEFT_OUT = ("test", "bench", "release", "embeddings")
# A bill is the same whenever it is written.
MOMENT = datetime(2020, 2, 2, tzinfo=UTC)


class Pin(NamedTuple):
    """`here` says whether this platform installs it; of another's nothing but name and digests is known."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    here: bool = True

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path = PINS) -> list[Pin]:
    """What a list names, each with the digests of the files that may be installed; some twice, for other Pythons."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in filter(str.strip, text.splitlines()):
        name, _, version = line.split()[0].partition("==")
        marker = re.search(r";(.*?)\s--hash", line)
        digests = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
        found.append(Pin(normal(name), version, digests, marker is None or Marker(marker[1]).evaluate()))
    return found


def asked(project: Path = PROJECT) -> list[str]:
    """What we ask for ourselves, with the extras that users install."""
    told = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for name, listed in told["optional-dependencies"].items() if name not in LEFT_OUT for one in listed]
    return [*told["dependencies"], *extras]


def needs(entries: Sequence[str], extras: frozenset[str]) -> set[tuple[str, frozenset[str]]]:
    """What requirements name, for whatever platform, each with the extras asked of it."""
    found = set()
    for one in map(Requirement, entries):
        marker = str(one.marker or "")
        if "extra" not in marker or any(f'"{name}"' in marker for name in extras):
            found.add((normal(one.name), frozenset(one.extras)))
    return found


def graph(direct: Sequence[str], there: Sequence[Pin]) -> dict[str, set[str]]:
    """Who needs whom among the pinned, by name, from what the installed packages say."""
    known, here = {pin.name for pin in there}, {pin.name for pin in there if pin.here}
    edges: dict[str, set[str]] = {NAME: set()}
    extras: dict[str, frozenset[str]] = {}
    waiting = [(NAME, name, more) for name, more in needs(direct, frozenset())]
    while waiting:
        who, name, more = waiting.pop()
        if name not in known:
            continue
        edges[who].add(name)
        if name in extras and more <= extras[name]:
            continue
        extras[name] = extras.get(name, frozenset()) | more
        edges.setdefault(name, set())
        asking = requires(name) or [] if name in here else []
        waiting += [(name, other, wanted) for other, wanted in needs(asking, extras[name])]
    return edges


def licence(name: str) -> str:
    told = metadata(name)
    said = told.get("License-Expression") or told.get("License") or ""
    classified = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier", []) if one.startswith("License ::")]
    return said if said and "\n" not in said and len(said) < 80 else " AND ".join(classified)


def component(pin: Pin, kind: ComponentType, said: str) -> Component:
    return Component(
        name=pin.name, version=pin.version, type=kind, bom_ref=pin.ref,
        purl=PackageURL("pypi", None, pin.name, pin.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pin.hashes],
        licenses=[LicenseFactory().make_from_string(said)] if said else [],
    )  # fmt: skip


def written(there: Sequence[Pin], edges: Mapping[str, set[str]]) -> str:
    parts = [(pin, component(pin, ComponentType.LIBRARY, licence(pin.name) if pin.here else "")) for pin in there]
    root = component(Pin(NAME, __version__), ComponentType.APPLICATION, "MIT")
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{__version__} {sorted((pin.ref, pin.hashes) for pin in there)}")
    bill = Bom(components=[part for _, part in parts], serial_number=number)
    bill.metadata.component, bill.metadata.timestamp = root, MOMENT
    for name, part in [(NAME, root), *((pin.name, part) for pin, part in parts)]:
        wanted = edges.get(name, set())
        bill.register_dependency(part, [other for pin, other in parts if pin.name in wanted])
    told: str = make_outputter(bill, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    return told + "\n"


def faults(text: str, there: Sequence[Pin]) -> list[str]:
    """What keeps a bill from being valid, whole and ours."""
    invalid = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if invalid is not None:
        return [f"not CycloneDX 1.6: {str(invalid.data).splitlines()[0]}"]
    told = json.loads(text)
    listed, pinned = {one["bom-ref"] for one in told.get("components", [])}, {pin.ref for pin in there}
    edges = {one["ref"]: set(one.get("dependsOn", [])) for one in told.get("dependencies", [])}
    reached = {f"{NAME}@{__version__}"}
    while more := {ref for known in reached for ref in edges.get(known, ())} - reached:
        reached |= more
    return [
        *(f"{ref} is missing" for ref in sorted(pinned - listed)),
        *(f"{ref} is not pinned" for ref in sorted(listed - pinned)),
        *(f"nothing needs {ref}" for ref in sorted((listed & pinned) - reached)),
        *(f"{one['bom-ref']} has no digest" for one in told.get("components", []) if not one.get("hashes")),
    ]


def bill_of_materials(out: Path, there: Sequence[Pin]) -> Row:
    try:
        text = written(there, graph(asked(), there))
    except PackageNotFoundError as fault:
        return Row(WHAT, "not run", f"{fault.name} is not installed here")
    wrong = faults(text, there)
    if wrong:
        return Row(WHAT, "fails", "; ".join(wrong))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return Row(WHAT, "holds", f"{len(there)} packages in {out.name}, CycloneDX 1.6")


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=PROJECT / "dist" / "sbom.cdx.json", help="where it goes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    return tell([bill_of_materials(options.out, pins())], options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
