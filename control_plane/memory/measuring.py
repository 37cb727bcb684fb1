"""How well a retriever does on a benchmark with known answers: MAP@K, grounded recall, hit rate, by `ir-measures`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from .. import extras
from ..errors import BadInput, MissingExtra
from ..projections.search import Found, Put
from .retrieving import Retriever, Retrieving, index_of

K = 5
BUILT_IN = Path(__file__).with_name("benchmark.json")
# How many live items are looked for by their own words.
LIVE_SAMPLE, OWN_WORDS = 20, 40


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    text: str
    tags: tuple[str, ...] = ()


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    relevant: tuple[str, ...]
    hard: bool = False


class Benchmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts, and for each query the ids of those that answer it."""

    items: tuple[Text, ...]
    queries: tuple[Query, ...]

    @property
    def hash(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


class Scores(msgspec.Struct, frozen=True):
    map_at_k: float
    grounded_recall: float
    hit_rate: float


class BadBenchmark(BadInput):
    """The benchmark's file does not fit, or asks for what it does not hold."""

    code = "memory.bad-benchmark"


def read_benchmark(path: Path = BUILT_IN) -> Benchmark:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Benchmark)
    except OSError as fault:
        raise BadBenchmark(f"{path} cannot be read", why=fault.strerror or "") from None
    except msgspec.DecodeError as fault:
        raise BadBenchmark(f"{path} is not a benchmark", why=str(fault), cure="see docs/memory.md") from None
    known = {item.id for item in found.items}
    strange = {name for query in found.queries for name in query.relevant} - known
    if strange or not found.queries or len(known) < len(found.items):
        why = f"no item is called {min(strange)}" if strange else "it needs queries, and each item an id of its own"
        raise BadBenchmark(f"{path} is not a benchmark", why=why)
    if any(not query.relevant or len(set(query.relevant)) < len(query.relevant) for query in found.queries):
        raise BadBenchmark(f"{path} is not a benchmark", why="each query needs its answers, each once")
    return found


def measure(benchmark: Benchmark, retrieving: Retrieving, k: int = K) -> Scores:
    index = index_of([Put(item.id, item.text, item.tags) for item in benchmark.items])
    try:
        retriever = retrieving(index)
        return score(benchmark.queries, [retriever.search(query.text, k) for query in benchmark.queries], k)
    finally:
        index.close()


def score(queries: Sequence[Query], answers: Sequence[Sequence[Found]], k: int = K) -> Scores:
    """Every query counts alike; one without an answer counts as nothing found."""
    try:
        import ir_measures  # noqa: PLC0415 - an extra, and slow to import
        from ir_measures import AP, R, Success  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("measuring retrieval needs the extra `evals`", cure=extras.install("evals")) from None
    truth = [ir_measures.Qrel(str(n), name, 1) for n, query in enumerate(queries) for name in query.relevant]
    # Falling scores keep the order that the retriever gave, also where it found two alike.
    run = [
        ir_measures.ScoredDoc(str(n), found.id, float(k - rank))
        for n, answer in enumerate(answers)
        for rank, found in enumerate(answer[:k])
    ]
    precision, recall, hits = AP @ k, R @ k, Success @ k
    sums = dict.fromkeys((precision, recall, hits), 0.0)
    for metric in ir_measures.iter_calc([precision, recall, hits], truth, run):
        of_query = len(queries[int(metric.query_id)].relevant)
        # AP@K is divided by all that is relevant, which a first page of K may have no room for; ours by what it has.
        reach = of_query / min(of_query, k) if metric.measure == precision else 1.0
        sums[metric.measure] += metric.value * reach
    return Scores(*(sums[measure] / len(queries) for measure in (precision, recall, hits)))


def live_hit_rate(retriever: Retriever, live: Sequence[Found], k: int = K) -> float | None:
    """The share of a spread sample of items that their own words find; None where nothing is remembered."""
    sample = live[:: -(-len(live) // LIVE_SAMPLE)] if live else []
    asked = [(item.id, " ".join(item.text.split()[:OWN_WORDS])) for item in sample]
    hits = [any(found.id == name for found in retriever.search(words, k)) for name, words in asked]
    return sum(hits) / len(hits) if hits else None
