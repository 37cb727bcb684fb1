"""What every handler may ask for by name."""

from litestar.di import NamedDependency

from ..plane import ControlPlane
from .metrics import Meters
from .stream import Hub

Plane = NamedDependency[ControlPlane]
Events = NamedDependency[Hub]
Measures = NamedDependency[Meters]
