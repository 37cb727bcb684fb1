"""OpenTelemetry spans by the GenAI conventions; where no exporter is configured there are none, nor their import."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from .. import extras
from ..errors import MissingExtra
from ..router.terms import Advice, Task
from ..version import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SCOPE: Final = "control_plane"


class Spans:
    """One span for each advice, and one for what came of it: an operation of the model that served it."""

    def __init__(self, provider: "TracerProvider") -> None:
        self._tracer: Tracer = provider.get_tracer(SCOPE, __version__)
        self._provider = provider

    def advised(self, task: Task, advice: Advice) -> None:
        told: dict[str, Any] = {
            "gen_ai.request.model": advice.model,
            "control_plane.decision.id": advice.decision_id,
            "control_plane.arm": advice.arm,
            "control_plane.strategy": advice.strategy,
            "control_plane.propensity": advice.propensity,
            "control_plane.policy.hash": advice.policy_hash,
            "control_plane.task.type": task.type,
        }
        _add(told, "gen_ai.provider.name", provider_of(advice.model))
        _add(told, "gen_ai.agent.name", advice.agent)
        _add(told, "gen_ai.conversation.id", task.session)
        self._tracer.start_span(f"advise {advice.arm}", attributes=told).end()

    def came_of(self, told: Mapping[str, Any], arm: str, ended: float) -> None:
        """`told` is what was recorded; the span lies where the call to the model lay, as far as that is known."""
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - only where it is wanted

        model, ended_ns = told["model_served"] or arm, int(ended * 1e9)
        facts: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": model,
            "control_plane.arm": arm,
            "control_plane.step": told["step"],
        }
        for name, value in (
            ("control_plane.decision.id", told["decision_id"]),
            ("gen_ai.provider.name", provider_of(model)),
            ("gen_ai.response.model", told["model_served"]),
            ("gen_ai.usage.input_tokens", told["tokens_in"]),
            ("gen_ai.usage.output_tokens", told["tokens_out"]),
            ("control_plane.cost_usd", told["cost_usd"]),
            ("control_plane.success", told["success"]),
            ("error.type", told["error"]),
        ):
            _add(facts, name, value)
        if told["ttft_ms"] is not None:
            facts["gen_ai.response.time_to_first_chunk"] = told["ttft_ms"] / 1e3
        begun_ns = ended_ns - int((told["latency_ms"] or 0.0) * 1e6)
        span = self._tracer.start_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=facts, start_time=begun_ns)
        if told["error"]:
            span.set_status(Status(StatusCode.ERROR, told["error"]))
        span.end(ended_ns)

    def close(self) -> None:
        """What waits for the exporter is sent."""
        shutdown = getattr(self._provider, "shutdown", None)
        if shutdown is not None:
            shutdown()


def configured_spans(environment: Mapping[str, str] = os.environ) -> Spans | None:
    """Spans to the collector that the environment names, by OpenTelemetry's own variables; None when it names none."""
    if not any(environment.get(name) for name in ENDPOINTS) or environment.get("OTEL_SDK_DISABLED", "") == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as fault:
        raise MissingExtra(
            f"an exporter is configured, and {fault.name} is missing", cure=extras.install("otel")
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME", SCOPE)}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider)


def provider_of(model: str) -> str | None:
    maker, slash, _ = model.partition("/")
    return maker if slash else None


def _add(facts: dict[str, Any], name: str, value: object) -> None:
    if value is not None:
        facts[name] = value
