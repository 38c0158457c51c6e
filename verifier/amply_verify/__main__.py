"""`python -m amply_verify` is the command `amply-verify`."""

import sys

from amply_verify.cli import main

if __name__ == "__main__":
    sys.exit(main())
