"""The plane over HTTP, on loopback unless somebody says otherwise."""
