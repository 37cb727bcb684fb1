"""The review queue: what waits for a person, for how long, and what the person made of it."""
