"""The OpenAPI document: what the framework reads from the handlers, with every refusal and an example of each body."""

from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Litestar, Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from .bridge_description import described_methods
from .examples import BODIES, drawn_from
from .gate import is_open
from .problems import MEDIA_TYPE

PATH: Final = "/schema/openapi.json"
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["status", "title", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "code": {"type": "string", "description": "What programs rely on; it stays, the words may change."},
        "detail": {"type": "string", "description": "What happened."},
        "why": {"type": "string"},
        "cure": {"type": "string", "description": "What to do next."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "One for each field that does not fit.",
            "items": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
    "examples": [
        {
            "status": 400, "title": "Bad Request", "code": "input.invalid", "detail": "Validation failed",
            "request_id": "01JD0000000000000000000001",
            "errors": [{"key": "type", "message": "Expected `str`, got `int`", "source": "body"}],
        }
    ],
}  # fmt: skip
_GUARDED: Final = (401, 403, 404, 408, 503)
_WITH_BODY: Final = (400, 409, 413)
_REQUEST_ID: Final = {
    "X-Request-Id": {"description": "The caller's own, or one made here.", "schema": {"type": "string"}}
}


class Description(JsonRenderPlugin):
    """Completed once, when the server starts or the first one asks."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json")
        self._content = b""

    def complete(self, app: Litestar) -> None:
        self.content(app.openapi_schema.to_schema())

    def content(self, found: dict[str, Any]) -> bytes:
        if not self._content:
            self._content = msgspec.json.encode(completed(found))
        return self._content

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return self.content(openapi_schema)


def described(version: str, plugin: Description) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="control plane",
        version=version,
        description="Advice, results, policies and proofs of one signed log.",
        path="/schema",
        security=[{"bearer": []}],
        components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
        render_plugins=[plugin],
    )


def completed(found: dict[str, Any]) -> dict[str, Any]:
    """The same document with every answer that can come, and examples."""
    schemas = found["components"].setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for path, verbs in found["paths"].items():
        for verb, operation in verbs.items():
            _refusals(path, operation)
            _examples(verb, path, operation, schemas)
    paths, kinds = described_methods()
    schemas.update(kinds)
    found["paths"].update(paths)
    for path, verbs in paths.items():
        for verb, operation in verbs.items():
            _examples(verb, path, operation, schemas)
            _named(operation)
    return found


def _refusals(path: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    answers.pop("400", None)
    if is_open(path):
        operation["security"] = []
        codes: tuple[int, ...] = (503,) if path == "/ready" else ()
    else:
        codes = _GUARDED
        if "requestBody" in operation or operation.get("parameters"):
            codes = (*codes, *_WITH_BODY)
    for code in sorted(codes):
        if path == "/ready":
            answers[str(code)] = {**answers["200"], "description": "Not ready, and why"}
        else:
            answers[str(code)] = {
                "description": HTTPStatus(code).phrase,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
    _named(operation)


def _named(operation: dict[str, Any]) -> None:
    for answer in operation["responses"].values():
        answer["headers"] = {**answer.get("headers", {}), **_REQUEST_ID}


def _examples(verb: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and "example" not in body:
        body["example"] = BODIES.get((verb, path)) or drawn_from(body["schema"], schemas)
    answer = operation["responses"].get("200", {}).get("content", {}).get("application/json")
    if answer is not None and "example" not in answer:
        answer["example"] = drawn_from(answer["schema"], schemas)
