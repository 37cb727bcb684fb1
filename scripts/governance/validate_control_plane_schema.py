"""The schema of the configuration knows the sections of a control plane, and the configuration fits them.

usage: python scripts/governance/validate_control_plane_schema.py [PATH] [--json]
"""

import sys

from control_plane.governance.validators.suite import main

if __name__ == "__main__":
    sys.exit(main("control-plane-schema", __doc__, sys.argv[1:]))
