"""`python -m deploy.login NODE MODULES SETTINGS`: become Node.js running the provider."""

import os
import sys

from deploy.login.installation import SCRIPT

if __name__ == "__main__":
    node, modules, settings = sys.argv[1:]
    os.execv(node, [node, str(SCRIPT), settings, modules])  # noqa: S606 (no shell is wanted)
