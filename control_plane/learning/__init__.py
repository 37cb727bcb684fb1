"""What agents learned: signed records let in one by one, merged into patterns, and turned into advice."""
