"""What a tool is: a name, words for the model that reads them, two structs, and one function between them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..access.tokens import Caller, Role, may
from ..errors import BadInput
from ..plane import ControlPlane

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Call(NamedTuple):
    """Where a tool stands: the open plane, who calls, the key that may sign for the caller, and the request's name."""

    plane: ControlPlane
    caller: Caller
    key: "Ed25519PrivateKey | None" = None
    request_id: str = ""


class Tool(NamedTuple):
    """`takes` and `gives` are structs; `run` raises a `ControlPlaneError` for whatever it refuses.

    `least` is the role that it takes; `reads` says that it changes nothing, `repeatable` that the same
    arguments twice do no more than once. `quick` ones touch memory only and stay in the server's loop;
    all others run in a thread.
    """

    name: str
    title: str
    description: str
    takes: type[msgspec.Struct]
    gives: type[msgspec.Struct]
    run: Callable[[Call, Any], Any]
    least: Role = "viewer"
    reads: bool = False
    repeatable: bool = False
    quick: bool = False

    def given(self, arguments: Mapping[str, Any]) -> Any:
        try:
            return msgspec.convert(dict(arguments), self.takes)
        except (msgspec.ValidationError, RecursionError) as fault:
            names = ", ".join(field.encode_name for field in msgspec.structs.fields(self.takes))
            raise BadInput(
                f"{self.name} cannot take these arguments", why=str(fault), cure=f"it takes {names}"
            ) from None

    def answer(self, call: Call, given: Any) -> dict[str, Any]:
        """Plain values, as they go over the wire."""
        may(call.caller, self.least)
        answered: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self.run(call, given)))
        return answered


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """A schema whose root is the object itself: clients of many kinds do not follow a reference there."""
    schema = msgspec.json.schema(kind)
    named = schema["$ref"].rpartition("/")[2]
    root: dict[str, Any] = schema["$defs"].pop(named)
    return root | {"$defs": schema["$defs"]} if schema["$defs"] else root
