"""Every flag of the house: its default, what it means, and what it rolls back."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

SigningMode = Literal["off", "allow-unsigned", "require-signed", "require-valid-signature"]


def _flag(name: str, default: Any, means: str, *, item: str = "", rolls_back: str = "", **limits: int) -> Any:
    extra = {"item": item, "rolls_back": rolls_back}
    return Field(default, alias=name, description=means, json_schema_extra=extra, **limits)  # type: ignore[call-overload]


def _names(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _signing_mode(value: object) -> object:
    return "require-valid-signature" if value == "strict" else value


class Flags(BaseSettings):
    """What a control plane was told, as of one moment; it never changes afterwards."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    buffered_stats: bool = _flag(
        "OPENCODE_ROUTER_BUFFERED_STATS",
        True,
        "Results go into the journal and are committed in groups.",
        item="FG-01",
        rolls_back="false: each call commits to the ledger before it returns",
    )
    sync_io_fallback: bool = _flag(
        "OPENCODE_SYNC_IO_FALLBACK",
        False,
        "Every write takes the synchronous road, in the thread of its caller.",
        item="FG-02",
        rolls_back="true: no background committer and no write-behind",
    )
    learning_invalidation: bool = _flag(
        "OPENCODE_LEARNING_INVALIDATION",
        True,
        "A learning record takes effect at once: advice that was cached before it is dropped.",
        item="FG-03",
        rolls_back="false: cached advice only ages out",
    )
    learning_signing_mode: Annotated[SigningMode, BeforeValidator(_signing_mode)] = _flag(
        "OPENCODE_LEARNING_SIGNING_MODE",
        "require-valid-signature",
        "Which learning records are let in; `strict` is another word for require-valid-signature.",
        item="FG-04",
        rolls_back="require-signed: a signature must be there but need not verify; each weakening is a warning event",
    )
    strategy_bypass: bool = _flag(
        "OPENCODE_STRATEGY_BYPASS",
        True,
        "A strategy that keeps failing is passed over until a probe succeeds.",
        item="FG-05",
        rolls_back="false: a failing strategy is asked every time",
    )
    tail_slo: bool = _flag(
        "OPENCODE_TAIL_SLO",
        True,
        "Arms whose slowest answers are too slow lose score.",
        item="FG-06",
        rolls_back="false: latency tails do not count",
    )
    eval_gate: bool = _flag(
        "OPENCODE_EVAL_GATE",
        True,
        "A policy advances only with a passed evaluation.",
        item="FG-07",
        rolls_back="false: promotion does not ask for an evaluation",
    )
    cadence_coordination: bool = _flag(
        "OPENCODE_CADENCE_COORDINATION",
        True,
        "Pollers are spread so that they do not run at the same moment.",
        item="FG-08",
        rolls_back="false: each poller keeps its own beat",
    )
    replay_capture: bool = _flag(
        "OPENCODE_REPLAY_CAPTURE",
        True,
        "Decisions keep the inputs that a replay needs.",
        item="FG-09",
        rolls_back="false: decisions are recorded without them and cannot be replayed",
    )
    replay_seed: str = _flag(
        "OPENCODE_REPLAY_SEED",
        "",
        "The seed from which each decision's own seed is derived.",
        item="FG-09",
        rolls_back="empty: the ledger's own id is the seed",
    )
    review_slo: bool = _flag(
        "OPENCODE_REVIEW_SLO",
        True,
        "The age of the review queue is measured and alerted on.",
        item="FG-10",
        rolls_back="false: items wait without an alert",
    )
    retrieval_metrics: bool = _flag(
        "OPENCODE_RETRIEVAL_METRICS",
        True,
        "The quality of memory retrieval is measured and counts in promotion.",
        item="FG-11",
        rolls_back="false: retrieval is not measured",
    )
    sim_gate: bool = _flag(
        "OPENCODE_SIM_GATE",
        True,
        "A policy advances only with a passed simulation.",
        item="FG-12",
        rolls_back="false: promotion does not ask for a simulation",
    )

    milestone_m0: bool = _flag(
        "OPENCODE_MILESTONE_M0",
        True,
        "M0, the baseline: whether a snapshot is taken before anything changes.",
        item="M0",
        rolls_back="false: no baseline is taken; nothing else changes",
    )
    milestone_m1: bool = _flag(
        "OPENCODE_MILESTONE_M1",
        True,
        "M1, the items of priority P0; FG-04's own flag alone says which signatures are asked for.",
        item="M1",
        rolls_back="false: FG-01, FG-02 and FG-03 are rolled back, unless a flag of theirs is told at a higher place",
    )
    milestone_m2: bool = _flag(
        "OPENCODE_MILESTONE_M2",
        True,
        "M2, the items of priority P1; FG-07's own flag alone opens its gate.",
        item="M2",
        rolls_back="false: FG-05, FG-06 and FG-08 are rolled back, unless a flag of theirs is told at a higher place",
    )
    milestone_m3: bool = _flag(
        "OPENCODE_MILESTONE_M3",
        True,
        "M3, the items of priority P2; FG-12's own flag alone opens its gate.",
        item="M3",
        rolls_back="false: FG-09, FG-10 and FG-11 are rolled back, unless a flag of theirs is told at a higher place",
    )

    enforcement_mode: Literal["shadow", "enforce", "off"] = _flag(
        "OPENCODE_ENFORCEMENT_MODE",
        "shadow",
        "Whether guardrails block (enforce), only record what they would have done (shadow), or rest (off).",
        rolls_back="shadow: nothing is blocked, everything is still recorded",
    )
    enforce_families: Annotated[tuple[str, ...], BeforeValidator(_names)] = _flag(
        "OPENCODE_ENFORCE_FAMILIES",
        (),
        "The rule families that are enforced; the rest stay in shadow. Empty means all of them.",
        rolls_back="name only the families that shall go on blocking: the others go back to shadow",
    )
    stop_check_mode: Literal["plan", "execute"] = _flag(
        "OPENCODE_STOP_CHECK_MODE",
        "plan",
        "Whether checks at the end of a session are only proposed (plan) or run (execute).",
        rolls_back="plan: no command is run",
    )
    stop_max_commands: int = _flag(
        "OPENCODE_STOP_MAX_COMMANDS", 6, "How many check commands one stop may plan or run.", ge=0, le=100
    )
    stop_include_test: bool = _flag(
        "OPENCODE_STOP_INCLUDE_TEST", False, "Whether the stop checks include the project's tests."
    )
    hook_sample_limit: int = _flag(
        "OPENCODE_HOOK_SAMPLE_LIMIT", 8, "How many payload samples a session keeps.", ge=0, le=200
    )

    home: str = _flag(
        "CONTROL_PLANE_HOME", "", "The folder, or postgresql:// address, of the ledger. Empty: .opencode/control-plane."
    )
    state: str = _flag(
        "CONTROL_PLANE_STATE", "", "This host's own folder (journal, key, token) when the ledger lies in PostgreSQL."
    )
    witness: str = _flag(
        "CONTROL_PLANE_WITNESS",
        "",
        "The folder of the witness. Empty: control-plane/witness in the user's state folder.",
    )
    flush_interval_ms: int = _flag(
        "CONTROL_PLANE_FLUSH_INTERVAL_MS",
        50,
        "The longest that an idle committer rests before it looks again.",
        ge=1,
        le=1000,
    )
    journal_mb: int = _flag(
        "CONTROL_PLANE_JOURNAL_MB", 64, "How much disk each writing process reserves for its journal.", ge=8, le=4096
    )
    archive_at_mb: int = _flag(
        "CONTROL_PLANE_ARCHIVE_AT_MB", 1024, "The size of the live database that makes archiving due; 0: never.", ge=0
    )
    switch_interval_us: int = _flag(
        "CONTROL_PLANE_SWITCH_INTERVAL_US",
        100,
        "The interpreter's switch interval while a control plane is open; 0 leaves it alone.",
        ge=0,
        le=100_000,
    )
    debug: bool = _flag("CONTROL_PLANE_DEBUG", False, "Unexpected errors show where they came from.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library names it
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in counts: whoever reads the environment says so."""
        return (init_settings,)
