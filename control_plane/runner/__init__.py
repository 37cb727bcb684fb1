"""The runner: a worker on a task, watched until it is done, stuck or out of budget."""
