"""Run the notebooks, each in a process of its own with a timeout, two at a time with one thread each (see prefork.py).

python .ci/notebooks.py [--flags "slow gpu"] [--save] [PATTERN ...]   runs those whose path holds a pattern
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tally import BIN, ROOT, CheckFailed, Result, sh, summary, tail

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


def judged(notebook: Path, status: int, seconds: float, output: str) -> list[Result]:
    "What a run says: one result for it, and one for every test that it said it skipped."
    name = str(notebook.relative_to(ROOT))
    if status:
        reason = f"took longer than {seconds:.0f} s" if status == -signal.SIGKILL else f"exited with {status}"
        return [Result(name, "failed", seconds, f"{reason}\n{tail(output)}")]
    done = count_line(output)
    if done is None:
        return [Result(name, "failed", seconds, f"ended well but printed no count of its cells\n{tail(output)}")]
    if not done["run"] and not done["skipped"]:
        return []  # a page of text
    if not done["run"]:
        return [Result(name, "skipped", seconds, f"all {done['skipped']} code cells are flagged")]
    note = f"{done['skipped']} flagged cells left out" if done["skipped"] else ""
    return [Result(name, "passed", seconds, note)] + [Result(name, "skipped", 0, note) for note in done["notes"]]


def count_line(output: str) -> dict | None:
    "The JSON line with which a run ends; a library may print something after it, at exit."
    for line in reversed(output.splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and {"run", "skipped", "notes"} <= found.keys():
            return found
    return None


def run_many(notebooks: list[Path], flags: str = "", workers: int = 2) -> Iterator[Result]:
    "Run notebooks in forked processes, several at a time; results as they end."
    timeout = SLOW_TIMEOUT if flags else TIMEOUT
    command = [sys.executable, ROOT / ".ci/prefork.py", workers, timeout, flags, *notebooks]
    with subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, env={**os.environ, **environment(flags)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        left = set(notebooks)
        for line in server.stdout:
            done = json.loads(line)
            notebook = Path(done.pop("notebook"))
            left.remove(notebook)
            yield from judged(notebook, **done)
    for notebook in sorted(left):
        yield Result(str(notebook.relative_to(ROOT)), "failed", 0, f"the process that runs notebooks ended with {server.returncode}")


def save_one(notebook: Path, flags: str = "") -> list[Result]:
    "Run one notebook in a fresh process and store its outputs."
    command = [sys.executable, ROOT / ".ci/run_notebook.py", notebook, "--flags", flags, "--save"]
    start, name = time.perf_counter(), str(notebook.relative_to(ROOT))
    try:
        output = sh(*command, env=environment(flags), timeout=SLOW_TIMEOUT if flags else TIMEOUT)
    except CheckFailed as error:
        return [Result(name, "failed", time.perf_counter() - start, str(error))]
    return judged(notebook, 0, time.perf_counter() - start, output)


def run_all(flags: str = "") -> Iterator[Result]:
    "Run all notebooks but the tutorials; they must leave no file behind."
    before = set(tree())
    yield from run_many(find(), flags)
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
    results, chosen = [], find(arguments.patterns, tutorials=True)
    saved = (result for notebook in chosen for result in save_one(notebook, arguments.flags))
    for result in saved if arguments.save else run_many(chosen, arguments.flags, workers=1):
        result.show()
        results.append(result)
    if arguments.save:
        sh(BIN / "nbdev_clean")
    line, well = summary(results)
    print(line)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
