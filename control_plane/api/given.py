"""What every handler may ask for by name."""

from litestar.di import NamedDependency

from ..plane import ControlPlane
from .metrics import Meters
from .stream import Hub
from .tracing import Spans

Plane = NamedDependency[ControlPlane]
Events = NamedDependency[Hub]
Measures = NamedDependency[Meters]
Tracing = NamedDependency[Spans | None]
