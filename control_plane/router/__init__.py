"""Which arm takes which task: advice out of what was seen, and why."""
