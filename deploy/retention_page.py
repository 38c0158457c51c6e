"""Writes `deploy/RETENTION.md` out of the table that the process `retention` keeps to."""

from pathlib import Path
from typing import Final

from workers.retention.table import page

PATH: Final = Path(__file__).parent / "RETENTION.md"

if __name__ == "__main__":
    PATH.write_text(page())
