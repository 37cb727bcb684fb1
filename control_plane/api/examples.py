"""Examples of bodies: written down where a reader learns from them, else drawn from the schema."""

from typing import Any, Final

_POLICY: Final = (
    'name = "careful"\ndescription = "A success is worth two dollars."\n\n[router]\nsuccess_value_usd = 2.0\n'
)

BODIES: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("post", "/api/advise"): {
        "type": "code.fix", "repo": "acme/api", "session": "s1", "budget_usd": 0.5, "deadline_ms": 60000,
    },
    ("post", "/api/results"): {
        "arm": "acme/strong", "task": {"type": "code.fix", "repo": "acme/api"}, "success": True, "latency_ms": 1840.0,
        "cost_usd": 0.021, "tokens_in": 5200, "tokens_out": 640,
    },
    ("post", "/api/policies"): {"document": _POLICY, "reason": "fewer failures on the api"},
    ("post", "/api/policies/{name}/advance"): {"reason": "the simulation holds", "to": "simulated"},
    ("post", "/api/policies/{name}/rollback"): {"reason": "more time-outs than before"},
    ("post", "/api/policy-review/{item}"): {"verdict": "approved", "note": "seen in the pull request"},
    ("post", "/api/flags/{name}"): {"value": "false", "reason": "too many alarms tonight"},
    ("post", "/api/orchestration/policy-sim"): {
        "document": _POLICY, "policy": {"minimum_fidelity": "degraded", "p95_ms": 2200.0, "p99_ms": 3500.0},
    },
    ("post", "/api/tokens/{jti}/revoke"): {"reason": "its owner left"},
}  # fmt: skip
_DEEPEST: Final = 8
_PLAIN: Final[dict[str, Any]] = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}


def drawn_from(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """The same value each time: what must be there, and at least one of what may be many."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if schema.get("examples"):
        return schema["examples"][0]
    for word in ("oneOf", "anyOf"):
        if schema.get(word):
            return drawn_from(schema[word][-1 if depth >= _DEEPEST else 0], schemas, depth + 1)
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        wanted = schema.get("required", ())
        return {name: drawn_from(schema["properties"][name], schemas, depth + 1) for name in wanted}
    if kind == "array":
        return _listed(schema, schemas, depth)
    return max(_PLAIN[kind], schema.get("minimum", _PLAIN[kind])) if "minimum" in schema else _PLAIN.get(kind)


def _listed(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [drawn_from(one, schemas, depth + 1) for one in schema["prefixItems"]]
    items = schema.get("items")
    return [drawn_from(items, schemas, depth + 1)] if items and depth < _DEEPEST else []
