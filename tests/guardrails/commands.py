"""Commands as they lie in files, one JSON text a line: written down before the reader was tried on them."""

import json
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def commands(name: str) -> list[str]:
    return [json.loads(line) for line in (CORPUS / f"{name}.jsonl").read_text("utf-8").splitlines()]
