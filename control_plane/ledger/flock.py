"""The operating system's file locks, which die with their holder."""

try:
    import fcntl
except ImportError:  # Windows: importing the package works, opening a home says what is missing
    fcntl = None  # type: ignore[assignment]

from ..errors import HomeUnusable


def lock(handle: int, *, wait: bool = True) -> bool:
    """Hold the file until its last handle is closed; False when somebody else holds it and we do not wait."""
    if fcntl is None:
        raise HomeUnusable("this platform has no file locks", why="a home needs them", cure="use Linux or macOS")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
