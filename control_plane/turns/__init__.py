"""Turns of OpenCode: which advice stood beside each, what was done, what it took, and what came of it."""
