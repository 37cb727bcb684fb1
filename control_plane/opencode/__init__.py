"""The edge to OpenCode: a port to a running server, the plugin that lives inside it, and its installation."""
