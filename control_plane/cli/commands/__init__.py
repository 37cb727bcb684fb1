"""One file for each first word of the command line."""
