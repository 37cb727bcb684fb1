"""Our flags behind OpenFeature's face; the package is an extra, and evaluation never raises."""

# ruff: noqa: ARG002 - the library names what we have no use for

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from ..flags import Flags
from ..flags.reading import FIELDS

T = TypeVar("T")
NAME = "control-plane"


class LedgerProvider(AbstractProvider):
    """Answers with what a flag is worth now: the environment above flips above defaults. `told` asks the plane."""

    def __init__(self, told: Callable[[], Flags]) -> None:
        super().__init__()
        self._told = told

    def get_metadata(self) -> Metadata:
        return Metadata(NAME)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolved(flag_key, default_value, (bool,))

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._resolved(flag_key, default_value, (str,))

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._resolved(flag_key, default_value, (int,))

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        return self._resolved(flag_key, default_value, (float, int))

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        return self._resolved(flag_key, default_value, (tuple,))

    def _resolved(self, key: str, default: T, kinds: tuple[type, ...]) -> FlagResolutionDetails[T]:
        try:
            return self._found(key, default, kinds)
        except Exception as fault:
            # Whoever asks for a flag goes on with its own default, whatever happened to us.
            return _fallen_back(default, ErrorCode.GENERAL, repr(fault))

    def _found(self, key: str, default: T, kinds: tuple[type, ...]) -> FlagResolutionDetails[T]:
        name = FIELDS.get(key) if isinstance(key, str) else None
        if name is None:
            return _fallen_back(default, ErrorCode.FLAG_NOT_FOUND, f"there is no flag {key!r:.80}")
        flags = self._told()
        value: Any = getattr(flags, name)
        # To Python a truth is a number, to a flag it is not.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            return _fallen_back(default, ErrorCode.TYPE_MISMATCH, f"{key} is a {type(value).__name__}")
        reason = Reason.STATIC if name in flags.model_fields_set else Reason.DEFAULT
        shown = list(value) if isinstance(value, tuple) else value
        return FlagResolutionDetails(value=cast("T", shown), reason=reason, variant=str(value))


def _fallen_back(default: T, code: ErrorCode, words: str) -> FlagResolutionDetails[T]:
    return FlagResolutionDetails(value=default, reason=Reason.ERROR, error_code=code, error_message=words)
