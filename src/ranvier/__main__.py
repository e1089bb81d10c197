"""``python -m ranvier``: the command line."""

import sys

from ranvier.cli import main

sys.exit(main())
