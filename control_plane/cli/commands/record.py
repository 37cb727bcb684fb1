"""`record` says what came of a decision."""

import argparse

from ...errors import BadInput
from ..command import argument, command
from ..printing import Output

_OUTCOME = (
    argument("--decision", required=True, metavar="ID", help="the decision, as `advise` printed it"),
    argument("--success", action="store_true", help="it went well"),
    argument("--failure", action="store_true", help="it did not"),
    argument("--latency-ms", type=float, metavar="MS", help="how long it took in all"),
    argument("--ttft-ms", type=float, metavar="MS", help="time to the first token"),
    argument("--cost-usd", type=float, metavar="USD", help="what it cost"),
    argument("--tokens-in", type=int, metavar="N", help="tokens that went in"),
    argument("--tokens-out", type=int, metavar="N", help="tokens that came out"),
    argument("--error", metavar="KIND", help="timeout, rate_limit, connection, server, caller or cancelled"),
    argument("--step", type=int, default=0, metavar="N", help="which step of a cascade, from 0"),
    argument("--verified", action=argparse.BooleanOptionalAction, help="what the verifier said of this step"),
    argument("--retry-after-s", type=float, metavar="S", help="how long a rate limit asked to wait"),
    argument("--model-served", metavar="MODEL", help="the model that really answered"),
)


@command(
    "record",
    "say what came of a decision",
    "control-plane record --decision $DECISION --success --cost-usd 0.02",
    arguments=_OUTCOME,
)
def record(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import deciding

    success = _success(arguments)
    with deciding(arguments) as plane:
        plane.record_result(
            arguments.decision,
            success=success,
            latency_ms=arguments.latency_ms,
            ttft_ms=arguments.ttft_ms,
            cost_usd=arguments.cost_usd,
            tokens_in=arguments.tokens_in,
            tokens_out=arguments.tokens_out,
            error=arguments.error,
            step=arguments.step,
            verified=arguments.verified,
            retry_after_s=arguments.retry_after_s,
            model_served=arguments.model_served,
        )
        plane.flush()
        position = plane.ledger.size()
    out.answer({"recorded": True, "position": position}, [f"recorded; the ledger is at position {position:,}"])
    return 0


_FACTS = (
    "latency_ms", "ttft_ms", "cost_usd", "tokens_in", "tokens_out", "error", "verified", "retry_after_s",
    "model_served",
)  # fmt: skip


def _success(arguments: argparse.Namespace) -> bool | None:
    """One of both or neither; then something else has to be said."""
    if arguments.success and arguments.failure:
        raise BadInput("--success and --failure exclude each other", cure="give one of them")
    if arguments.success or arguments.failure:
        return bool(arguments.success)
    if all(getattr(arguments, name) is None for name in _FACTS):
        raise BadInput("that result says nothing", cure="give --success or --failure, or what is known of the call")
    return None
