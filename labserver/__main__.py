"""`python -m labserver` is the command line too."""

import sys

from labserver.cli import main

if __name__ == "__main__":
    sys.exit(main())
