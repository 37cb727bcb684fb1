"""The page that people see: its files, and what it shows of the log."""
