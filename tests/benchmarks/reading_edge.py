"""An edge on one core, as `python -m edge` runs it, that remembers decisions or does not.

`python -m tests.benchmarks.reading_edge cached|uncached`, with the settings of an edge.
"""

import os
import sys

from edge import __main__ as edge
from edge import authorization


def main() -> int:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if sys.argv[1] == "uncached":
        authorization.ALLOWED_S_MAX = authorization.DENIED_S_MAX = 0.0  # type: ignore[misc]  # So.
    return edge.main()


if __name__ == "__main__":
    sys.exit(main())
