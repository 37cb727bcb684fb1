"""Guardrails: what an agent may write, what it is told about it, and what is checked when it stops."""
