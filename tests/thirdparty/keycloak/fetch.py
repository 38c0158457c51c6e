"""Run as a script: fetch.py TOOLS VERSION SHA256 FOLDER. Fetches Keycloak's archive with jgo.

TOOLS is put on the module path, as for Kafka. What has another checksum is refused.
"""

import hashlib
import shutil
import sys
from pathlib import Path


def main(tools: str, version: str, sha256: str, folder: str) -> None:
    sys.path.insert(0, tools)
    from jgo.maven import MavenContext

    cache = Path(folder) / ".resolver"
    component = (
        MavenContext(repo_cache=cache, timeout=600)
        .project("org.keycloak", "keycloak-quarkus-dist")
        .at_version(version)
    )
    resolved = Path(component.artifact(packaging="zip").resolve())
    with resolved.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
            raise SystemExit("checksum mismatch: Keycloak")
    resolved.replace(Path(folder) / "keycloak.zip")
    shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
