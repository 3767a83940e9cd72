"""Read many damaged files in one process; any outcome but success and KolumnError is printed and fails the test."""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from pathlib import Path

from kolumn.errors import KolumnError
from kolumn.io import hdf5, open_scan

warnings.simplefilter("error")
hdf5.TIME_LIMIT = 4.0


def used() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def outcome(path: Path) -> str:
    try:
        scan = open_scan(path)
        for i in range(min(scan.n_slices, 4)):
            scan.load(i)
        return "read"
    except KolumnError as error:
        return f"not one line: {error!r}" if "\n" in str(error) or not str(error) else "refused"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    limit = used() + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for name in sys.argv[1:]:
        start = time.perf_counter()
        print(json.dumps([name, outcome(Path(name)), time.perf_counter() - start]), flush=True)


if __name__ == "__main__":
    main()
