"""Plugins, servers, runtime state and hooks fit the OpenCode that shall load them.

usage: python scripts/governance/validate_plugin_compatibility.py [PATH] [--json]
"""

import sys

from control_plane.governance.validators.suite import main

if __name__ == "__main__":
    sys.exit(main("plugin-compatibility", __doc__, sys.argv[1:]))
