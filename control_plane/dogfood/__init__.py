"""The dogfood suite: fifteen cases against a real OpenCode, gates that fail closed, evidence that others can check."""
