"""The bridge's methods in the OpenAPI document: one path each, with its request, its answer and its refusals."""

from http import HTTPStatus
from typing import Any, Final

import msgspec

from ..mcp.bridge import BRIDGE_TOOLS
from .problems import MEDIA_TYPE

REFUSAL: Final = "BridgeRefusal"
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error", "request_id", "occurred_at"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "retryable"],
            "properties": {
                "code": {"type": "string", "description": "What programs rely on, as INVALID_ARGUMENT."},
                "message": {"type": "string"},
                "retryable": {"type": "boolean", "description": "Whether the same call may do better later."},
                "details": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "request_id": {"type": "string"},
        "occurred_at": {"type": "string", "format": "date-time"},
    },
    "examples": [
        {
            "error": {"code": "NOT_FOUND", "message": "there is no thread th_1", "retryable": False},
            "request_id": "01JD0000000000000000000001", "occurred_at": "2026-01-31T12:00:00.000Z",
        }
    ],
}  # fmt: skip
_REFUSED: Final = (400, 401, 403, 404, 409, 429, 500)


def described_methods() -> tuple[dict[str, Any], dict[str, Any]]:
    """Paths and schemas."""
    kinds = [kind for tool in BRIDGE_TOOLS for kind in (tool.takes, tool.gives)]
    (schemas, components) = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/Bridge{name}")
    named = {f"Bridge{name}": schema for name, schema in components.items()}
    paths: dict[str, Any] = {}
    for place, tool in enumerate(BRIDGE_TOOLS):
        asked, answered = schemas[2 * place], schemas[2 * place + 1]
        paths[f"/v1/mcp/{tool.name}"] = {
            "post": {
                "summary": tool.title, "description": tool.description, "operationId": f"Bridge_{tool.name}",
                "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
                "responses": {
                    "200": {"description": "It is so", "content": {"application/json": {"schema": answered}}},
                    **_refusals(),
                },
            }
        }  # fmt: skip
    refused = _refusals()
    # What the framework refuses before the bridge hears of it, as a number that is none, has the shape of its own.
    refused["400"]["content"] |= {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    paths["/v1/threads/{thread}/messages"] = {"get": _WATCH | {"responses": _WATCH["responses"] | refused}}
    return paths, {**named, REFUSAL: _SCHEMA}


def _refusals() -> dict[str, Any]:
    shape = {"schema": {"$ref": f"#/components/schemas/{REFUSAL}"}}
    return {
        str(code): {"description": HTTPStatus(code).phrase, "content": {"application/json": shape}} for code in _REFUSED
    }


_WATCH: Final[dict[str, Any]] = {
    "summary": "Messages as they come, beside reading them by cursor",
    "operationId": "Bridge_watch",
    "parameters": [
        {"name": "thread", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "since_seq", "in": "query", "required": False, "schema": {"type": "integer", "default": 0}},
    ],
    "responses": {
        "200": {
            "description": "Each message once, in order; `end` when the caller is taken out of the thread",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
}
