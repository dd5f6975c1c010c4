"""Run the notebooks, each in a process of its own with a timeout, two at a time with one thread each.

python .ci/notebooks.py [--flags "slow gpu"] [--save] [PATTERN ...]   runs those whose path holds a pattern
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tally import BIN, ROOT, CheckFailed, Result, sh, summary

TIMEOUT, SLOW_TIMEOUT = 300, 7200  # seconds a notebook
TUTORIALS = ROOT / "nbs" / "tutorials"  # these run from the wheel: see package.py


def environment(flags: str) -> dict[str, str]:
    "One thread a notebook, this checkout on the path, and no network unless the `net` cells are wanted."
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # two processes share the cores: an OpenMP thread that waits must not spin on the other's core
    env = {"PYTHONPATH": path, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    return env if "net" in flags.split() else {**env, "HF_HUB_OFFLINE": "1"}


def find(patterns: list[str] = (), tutorials: bool = False) -> list[Path]:
    "The notebooks, in reading order."
    found = [n for n in sorted(ROOT.glob("nbs/**/*.ipynb")) if ".ipynb_checkpoints" not in n.parts]
    found = [n for n in found if tutorials or TUTORIALS not in n.parents]
    return [n for n in found if not patterns or any(pattern in str(n.relative_to(ROOT)) for pattern in patterns)]


def run_one(notebook: Path, flags: str = "", save: bool = False) -> list[Result]:
    "Run one notebook: one result for it, and one for every test that it said it skipped."
    start, name = time.perf_counter(), str(notebook.relative_to(ROOT))
    extra = ["--flags", flags] + (["--save"] if save else [])
    timeout = SLOW_TIMEOUT if flags else TIMEOUT
    try:
        command = [sys.executable, ROOT / ".ci/run_notebook.py", notebook, *extra]
        output = sh(*command, env=environment(flags), timeout=timeout)
    except CheckFailed as error:
        return [Result(name, "failed", time.perf_counter() - start, str(error))]
    done = json.loads(output.strip().splitlines()[-1])
    seconds = time.perf_counter() - start
    if not done["run"] and not done["skipped"]:
        return []  # a page of text
    if not done["run"]:
        return [Result(name, "skipped", seconds, f"all {done['skipped']} code cells are flagged")]
    note = f"{done['skipped']} flagged cells left out" if done["skipped"] else ""
    return [Result(name, "passed", seconds, note)] + [Result(name, "skipped", 0, note) for note in done["notes"]]


def run_all(flags: str = "", workers: int = 2) -> Iterator[Result]:
    "Run all notebooks but the tutorials; they must leave no file behind."
    before = set(tree())
    with ThreadPoolExecutor(workers) as pool:
        for results in pool.map(partial(run_one, flags=flags), find()):
            yield from results
    left = sorted(set(tree()) - before)
    note = "write into a temporary folder instead\n" + "\n".join(left[:20]) if left else ""
    yield Result("notebooks leave no files behind", "failed" if left else "passed", 0, note)


def tree() -> list[str]:
    "The files of the folders in which notebooks run."
    files = [file for part in ("nbs", "nsfw_dreambooth") for file in (ROOT / part).rglob("*") if file.is_file()]
    passing = {"__pycache__", ".ipynb_checkpoints"}
    return [str(file.relative_to(ROOT)) for file in files if not passing & set(file.parts)]


def main() -> int:
    "Run the notebooks that the patterns name, one after the other, and print the count."
    parser = argparse.ArgumentParser()
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--flags", default="")
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    results = []
    for notebook in find(arguments.patterns, tutorials=True):
        for result in run_one(notebook, arguments.flags, arguments.save):
            result.show()
            results.append(result)
    if arguments.save:
        sh(BIN / "nbdev_clean")
    line, well = summary(results)
    print(line)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
