"""Memory: what somebody asked to keep, how it is found again, and how well that goes."""
