"""Compile the kernels while the package is built or installed, where a compiler is at hand; else go without."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src", "kolumn", "native")
FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math", "-shared", "-fPIC"]


class Kernels(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the library to the wheel, which is then one for this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a build."""
        made = compiled(Path(self.root) / FOLDER)
        if made is not None:
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
            build_data["artifacts"].append(f"/{made.relative_to(self.root).as_posix()}")


def compiled(folder: Path) -> Path | None:
    """The library beside its sources, named after a hash of them as kolumn.native expects; None where that fails."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    sources = sorted(folder.glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    target = folder / f"kernels-{digest.hexdigest()[:12]}.so"
    if compiler is None or os.environ.get("KOLUMN_PURE"):
        return None
    beside = target.with_suffix(".part")
    files = [str(path) for path in sources if path.suffix == ".c"]
    made = subprocess.run([compiler, *FLAGS, "-o", str(beside), *files, "-lm"], capture_output=True, check=False)
    if made.returncode:
        return None
    for old in folder.glob("kernels-*.so"):
        old.unlink()
    beside.replace(target)
    return target
