"""From events to states: folds in memory, snapshots that save time, views for those who ask in SQL."""
