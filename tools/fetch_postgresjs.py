"""Fetch postgres.js, the driver for Node.js, for the bench, and print where it is.

    python tools/fetch_postgresjs.py

npm installs it under `build/postgresjs/`, and checks what it downloads. What is there already is
not fetched again.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "build" / "postgresjs"

# The major version that the bench's program is written for.
PACKAGE = "postgres@3"


def fetch(folder: Path = FOLDER) -> Path:
    """Have the package; the folder that it is in."""
    package = folder / "node_modules" / "postgres"
    if not (package / "package.json").is_file():
        if shutil.which("npm") is None:
            raise SystemExit("npm is not installed: it fetches postgres.js")
        folder.mkdir(parents=True, exist_ok=True)
        options = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
        command = ["npm", "install", *options, "--prefix", str(folder), PACKAGE]
        done = subprocess.run(command, check=False)
        if done.returncode != 0:
            raise SystemExit(f"npm install failed with exit status {done.returncode}")
    return package


if __name__ == "__main__":
    print(fetch())
