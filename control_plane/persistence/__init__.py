"""Persistence modules that make any stock `eventsourcing` application signed.

Set `PERSISTENCE_MODULE=control_plane.persistence.sqlite` (or `.postgres`, or `.memory`) and nothing else changes.
`SIGNING_KEY` names the file with the key, `SIGNING_ORIGIN` the name under which the log is signed; `verify` audits it.
"""

from .verifying import verify

__all__ = ["verify"]
