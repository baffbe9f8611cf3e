"""`python -m clew.cli`, the same as `clew`."""

import sys

from clew.cli import main

sys.exit(main())
