"""Spans where an exporter is configured, by the GenAI conventions; elsewhere nothing, not even an import."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from control_plane.api.app import create_app
from control_plane.api.tracing import Spans, configured_spans
from tests.api.conftest import TOKEN

pytestmark = pytest.mark.anyio

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def exported():
    return InMemorySpanExporter()


@pytest.fixture
async def traced(plane, access, exported):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    transport = httpx.ASGITransport(create_app(plane, access, spans=Spans(provider)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=HEADERS) as client:
        yield client
    provider.shutdown()


@pytest.mark.requirement("SERVE-20")
async def test_advice_and_result_are_spans_by_the_conventions(traced, exported, clock):
    for kind in ("application/json", "application/json; charset=utf-8"):
        exported.clear()
        answer = await traced.post(
            "/api/advise", content=b'{"type":"code.fix","session":"s1"}', headers={"Content-Type": kind}
        )
        advice = answer.json()
        told = {
            "decision_id": advice["decision_id"], "success": True, "latency_ms": 1500.0, "tokens_in": 900,
            "tokens_out": 70, "cost_usd": 0.01, "model_served": "acme/strong-2", "ttft_ms": 200.0,
        }  # fmt: skip
        assert (await traced.post("/api/results", json=told)).status_code == 200
        advised, chat = exported.get_finished_spans()
        assert advised.name == f"advise {advice['arm']}"
        assert advised.attributes["gen_ai.request.model"] == advice["model"]
        assert advised.attributes["gen_ai.provider.name"] == "acme"
        assert advised.attributes["gen_ai.conversation.id"] == "s1"
        assert advised.attributes["control_plane.decision.id"] == advice["decision_id"]
        assert (chat.name, chat.kind) == ("chat acme/strong-2", SpanKind.CLIENT)
        assert dict(chat.attributes) == {
            "gen_ai.operation.name": "chat", "gen_ai.request.model": "acme/strong-2", "gen_ai.provider.name": "acme",
            "gen_ai.response.model": "acme/strong-2", "gen_ai.usage.input_tokens": 900,
            "gen_ai.usage.output_tokens": 70, "gen_ai.response.time_to_first_chunk": 0.2,
            "control_plane.arm": advice["arm"], "control_plane.step": 0, "control_plane.success": True,
            "control_plane.decision.id": advice["decision_id"], "control_plane.cost_usd": 0.01,
        }  # fmt: skip
        assert (chat.start_time, chat.end_time) == (int((clock.now() - 1.5) * 1e9), int(clock.now() * 1e9))


@pytest.mark.requirement("SERVE-20")
async def test_what_failed_is_an_error_and_what_was_refused_is_no_span(traced, exported):
    told = {"arm": "acme/cheap", "task": {"type": "x"}, "error": "timeout", "latency_ms": 5.0}
    await traced.post("/api/results", json=told)
    (span,) = exported.get_finished_spans()
    assert (span.status.status_code, span.attributes["error.type"]) == (StatusCode.ERROR, "timeout")
    exported.clear()
    assert (await traced.post("/api/results", json={"decision_id": "forged"})).status_code == 404
    assert (await traced.post("/api/advise", json={"typ": "x"})).status_code == 400
    assert exported.get_finished_spans() == ()


@pytest.mark.requirement("SERVE-21")
def test_without_an_exporter_nothing_of_it_is_loaded():
    code = (
        "import sys; import control_plane.api.serving; from control_plane.api.tracing import configured_spans; "
        "assert configured_spans() is None; "
        "found = [name for name in sys.modules if name.startswith('opentelemetry')]; assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.requirement("SERVE-21")
@pytest.mark.parametrize(
    "environment", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
                    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}],
)  # fmt: skip
def test_no_exporter_no_spans(environment):
    assert configured_spans(environment) is None


class Collector(BaseHTTPRequestHandler):
    """Takes what is exported, as a collector would."""

    def do_POST(self):
        self.server.got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Quiet."""


@pytest.mark.requirement("SERVE-20")
async def test_what_is_configured_reaches_a_collector(plane, access, monkeypatch):
    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        collector.got = []
        running = threading.Thread(target=collector.serve_forever)
        running.start()
        try:
            endpoint = f"http://127.0.0.1:{collector.server_port}"
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            spans = configured_spans()
            transport = httpx.ASGITransport(create_app(plane, access, spans=spans))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=HEADERS) as client:
                advice = (await client.post("/api/advise", json={"type": "code.fix"})).json()
            spans.close()
        finally:
            collector.shutdown()
            running.join()
    ((path, body),) = collector.got
    assert path == "/v1/traces"
    assert advice["decision_id"].encode() in body
