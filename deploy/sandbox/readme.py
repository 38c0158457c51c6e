"""Keeps the README's tables those of the code: `python -m deploy.sandbox.readme` writes them."""

import re
from pathlib import Path
from typing import Final

from deploy.sandbox import named_faults
from deploy.sandbox.scenarios import table as scenarios

README: Final = Path(__file__).with_name("README.md")


def current(text: str) -> str:
    """The README with its tables as they should be; ValueError if one has no place in it."""
    for table in (named_faults.table(), scenarios.table()):
        lines = list(table)
        # A table goes from its heading to the first line that is none of it.
        found = re.search(re.escape(lines[0]) + r"\n(?:\|.*\n)*", text)
        if found is None:
            raise ValueError(f"no table begins with {lines[0]}")
        text = text[: found.start()] + "\n".join([*lines, text[found.end() :]])
    return text


if __name__ == "__main__":
    README.write_text(current(README.read_text()))
