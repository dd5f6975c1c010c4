"""Run one notebook in this process, as nbdev does: `#| eval: false` and unwanted flags are honoured.

python .ci/run_notebook.py NOTEBOOK [--flags "slow gpu"] [--save]
Prints one JSON line at the end: cells run, cells skipped, and the notes of cells that said why they skip.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path

from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell
from nbdev.process import extract_directives
from pictures import shrink

FLAGS = {"slow", "gpu", "net"}
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def unwanted(cell, flags: set[str]) -> bool:
    "Whether a code cell is not to be run: it says `eval: false`, or bears a flag that was not asked for."
    directives = extract_directives(cell, remove=False)
    return directives.get("eval:") == ["false"] or bool((FLAGS - flags) & directives.keys())


def skip_notes(cell) -> list[str]:
    "What a cell printed about a test that it left out: lines that begin with 'skipped:'."
    streams = ["".join(output["text"]) for output in cell.outputs if output["output_type"] == "stream"]
    return [line[8:].strip() for stream in streams for line in stream.splitlines() if line.startswith("skipped:")]


def report_failure(number: int, cell) -> None:
    "Print the cell and the end of its traceback."
    print(f"cell {number} failed:\n{cell.source.strip()[:1500]}\n")
    for output in cell.outputs:
        if output["output_type"] == "error":
            print(ANSI.sub("", "".join(output["traceback"]))[-3000:])


def main() -> int:
    "Run the notebook; exit status 1 at the first cell that fails."
    parser = argparse.ArgumentParser()
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--flags", default="", help="flags of cells to run that are left out otherwise")
    parser.add_argument("--save", action="store_true", help="store the outputs in the notebook")
    arguments = parser.parse_args()
    path, flags = arguments.notebook.resolve(), set(arguments.flags.split())
    notebook = read_nb(path)
    os.chdir(path.parent)
    shell = CaptureShell(path=path.parent)
    counts, notes = {"run": 0, "skipped": 0}, []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if unwanted(cell, flags):
            counts["skipped"] += 1
            continue
        counts["run"] += 1
        shell.cell(cell)
        notes += skip_notes(cell)
        if shell.exc:
            report_failure(number, cell)
            return 1
    if arguments.save:
        shrink(notebook)
        write_nb(notebook, path)
    print(json.dumps({**counts, "notes": notes}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
