"""`kolumn info`: what is in a file, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Dataset, File

if TYPE_CHECKING:
    from ..doctor import Finding

Lines = list[tuple[str, str]]
COLOURS = {"note": "cyan", "warning": "yellow", "problem": "bold red"}


def info(
    file: File,
    dataset: Dataset = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Say what is in a k-space file, and what is wrong with it."""
    import json
    from dataclasses import asdict

    from ..doctor import diagnose, facts, look
    from ..io import open_scan

    patient = look(open_scan(file, dataset), dataset)
    found, findings = facts(patient), diagnose(patient)
    if as_json:
        print(json.dumps({**found, "findings": [asdict(f) for f in findings]}, indent=2))  # noqa: T201
    else:
        _show(_describe(found), findings)


def _show(lines: Lines, findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    width = max(len(name) for name, _ in lines)
    table = Table.grid(padding=(0, 2))
    for name, value in lines:
        table.add_row(Text(name, "bold"), Text(value))
        if not console.is_terminal:
            console.print(Text(f"{name:{width}}  {value}"), soft_wrap=True)
    if console.is_terminal:
        console.print(table)
    console.print()
    for finding in findings:
        mark = Text(f"{finding.severity}: ", COLOURS[finding.severity])
        console.print(mark.append(finding.what, "default"), soft_wrap=True)
        console.print(Text(f"  -> {finding.advice}"), soft_wrap=True)
    if not findings:
        console.print(Text("doctor: nothing to report", "green"), soft_wrap=True)


def _describe(found: dict[str, Any]) -> Lines:
    k, g = found["kspace"], found["geometry"]
    lines = [
        ("file", found["file"]),
        ("format", found["format"]),
        ("slices", str(found["slices"])),
        ("coils", str(found["coils"])),
        ("k-space", f"{k['readout']} x {k['phase encode']} (readout x phase encode)"),
    ]
    if g is not None:
        lines += _geometry(g, found["slices"])
    if "mask" in found:
        lines += [("sampled", _sampled(found["mask"])), ("calibration", _calibration(found["calibration"], k))]
        a = found["amplitude"]
        ends = f"{a['noise']:.2g} at the ends of the readout (slice {a['slice']})"
        lines.append(("amplitude", f"largest {a['largest']:.3g}, {ends}"))
    lines.append(("noise scan", "yes" if found["noise scan"] else "no"))
    return lines + [(f"header: {name}", _short(value)) for name, value in found["details"].items() if value]


def _short(value: str) -> str:
    """2.8936 for 2.893620: what the header says, floats to five digits."""
    try:
        return f"{float(value):.5g}" if "." in value or "e" in value.lower() else value
    except ValueError:
        return value


def _geometry(g: dict[str, Any], slices: int) -> Lines:
    over = g["readout oversampling"]
    crop = f", after {over:.3g} x readout oversampling" if over > 1 else ""
    y, x = g["image"]["y"], g["image"]["x"]
    fy, fx = g["fov (mm)"]["y"], g["fov (mm)"]["x"]
    apart = g["slice distance (mm)"]
    every = f", one every {apart:.4g} mm" if apart else ""
    lines = [
        ("image", f"{y} x {x} pixels{crop}"),
        ("field of view", f"{fy:.4g} x {fx:.4g} mm, pixel {fy / y:.3g} x {fx / x:.3g} mm"),
        ("slice thickness", f"{g['slice thickness (mm)']:.4g} mm{every}"),
    ]
    if g["orientation"] is not None:
        where = ", ".join(f"{mm:.1f}" for mm in g["first position (LPS, mm)"])
        lines.append(("orientation", f"{g['orientation']}; down is towards {g['down']}, across towards {g['across']}"))
        lines.append(("position", f"{where} mm (left, back, head){' of slice 0' if slices > 1 else ''}"))
    return lines


def _sampled(m: dict[str, Any]) -> str:
    if m["kind"] == "full":
        return f"all {m['of columns']} columns"
    factor = f"acceleration {m['acceleration']:.2f}"
    if m["kind"] == "2-D":
        return f"a 2-D pattern in {m['columns']} of {m['of columns']} columns; {factor}"
    span = f"{m['first column']} to {m['last column']}"
    return f"{m['columns']} of {m['of columns']} columns, {m['pattern']}, from {span}; {factor}"


def _calibration(c: dict[str, Any], kspace: dict[str, int]) -> str:
    if c["how"] == "full":
        return "all of k-space"
    if not c["columns"]:
        return "none: the middle of k-space is not sampled"
    rows = "" if c["rows"] == kspace["readout"] else f" of {c['rows']} rows"
    where = "" if c["first"] is None else f" ({c['first']} to {c['last']})"
    return f"{c['columns']} columns{rows} in the middle{where}, {c['how']}"
