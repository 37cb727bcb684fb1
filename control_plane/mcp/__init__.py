"""The plane for agents that speak the Model Context Protocol, over stdio or HTTP."""
