"""All checks of the project: `make test`.

python .ci/test.py [--flags slow] [STEP ...]   STEP: sync pairs imports ruff lazy notebooks docs package (default: all)
The last line is `N passed, N failed, N skipped`; the exit status is 1 when a check failed.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import docs
import notebooks
import package
import sync
from tally import BIN, ROOT, Result, sh, summary, timed

LAZY = """
import sys, nsfw_dreambooth
heavy = {"torch", "diffusers", "transformers", "timm", "pytorch_lightning", "matplotlib"} & sys.modules.keys()
assert not heavy, f"import nsfw_dreambooth also imports {heavy}"
"""


def imports() -> str:
    "The floors of the house: imports run strictly downward."
    command = [BIN / "lint-imports", "--config", ".importlinter", "--no-cache", "--no-logo"]
    output = sh(*command, env={"PYTHONPATH": str(ROOT)})
    return next(line for line in output.splitlines() if line.startswith("Contracts:"))


def ruff() -> str:
    "The package, the notebooks and these scripts."
    places = ("nsfw_dreambooth", "nbs", ".ci", "setup.py")
    return sh(BIN / "ruff", "check", "--no-cache", "--output-format", "concise", *places).strip()


def lazy() -> None:
    "Importing the package imports nothing heavy."
    sh(sys.executable, "-c", LAZY, env={"PYTHONPATH": str(ROOT)})


def steps(flags: str) -> dict:
    "The checks, in the order in which they run: name -> (title, function)."
    return {
        "sync": ("notebooks clean and in sync with package and README", sync.check),
        "pairs": ("modules and notebooks one to one", sync.pairs),
        "imports": ("import contracts", imports),
        "ruff": ("ruff", ruff),
        "lazy": ("the package imports lazily", lazy),
        "notebooks": ("notebooks", partial(notebooks.run_all, flags)),
        "docs": ("docs site built", docs.check),
        "package": ("wheel and tutorials", package.check),
    }


def run(known: dict, chosen: list[str]) -> Iterator[Result]:
    "Results of the steps; the docs site, which keeps one core busy, is built beside the wheel and its tutorials."
    together = {"docs", "package"} <= set(chosen)
    with ThreadPoolExecutor(1) as pool:
        for name in chosen:
            if together and name == "docs":
                continue
            site = pool.submit(lambda: list(timed(*known["docs"]))) if together and name == "package" else None
            yield from timed(*known[name])
            if site:
                yield from site.result()


def main() -> int:
    "Run the steps that were named, or all; none of them stops the others."
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", nargs="*", help="which checks; default: all")
    parser.add_argument("--flags", default="", help="flags of cells to run as well: slow, gpu, net")
    arguments = parser.parse_args()
    known = steps(arguments.flags)
    if unknown := set(arguments.steps) - known.keys():
        parser.error(f"no such step: {', '.join(sorted(unknown))}; there are: {' '.join(known)}")
    results, start = [], time.perf_counter()
    for result in run(known, arguments.steps or list(known)):
        result.show()
        results.append(result)
    line, well = summary(results)
    print(f"{time.perf_counter() - start:.0f} s in all\n{line}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
