"""The governance suite: three validators, each for any repository by its path."""

from .findings import Finding, Report
from .suite import VALIDATORS, run_suite

__all__ = ["VALIDATORS", "Finding", "Report", "run_suite"]
