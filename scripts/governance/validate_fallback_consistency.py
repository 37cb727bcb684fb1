"""The fallback file names the providers that the strategy's layers ask, no more and no fewer.

usage: python scripts/governance/validate_fallback_consistency.py [PATH] [--json]
"""

import sys

from control_plane.governance.validators.suite import main

if __name__ == "__main__":
    sys.exit(main("fallback-consistency", __doc__, sys.argv[1:]))
