"The wheel: built, installed alone into a clean environment, imported from a clean folder, tutorials run from there."

import json
import os
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from execnb.nbio import read_nb, write_nb
from notebooks import TIMEOUT, TUTORIALS
from run_notebook import unwanted
from tally import BIN, ROOT, CheckFailed, Result, sh, timed

PACKAGE_DATA = ("nsfw_dreambooth/demo/models/", "nsfw_dreambooth/demo/pictures/")


def build(folder: Path) -> Path:
    "Build the wheel from a copy of what git would commit, so that no file left lying about slips in."
    source = folder / "source"
    for name in sh("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_file() and not name.startswith("nbs/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    sh(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source, timeout=300)
    wheel = next(folder.glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    for part in PACKAGE_DATA:
        if (ROOT / part).is_dir() and not any(name.startswith(part) for name in names):
            raise CheckFailed(f"the wheel holds nothing of {part}: see package_data in setup.py")
    return wheel


def install(wheel: Path, folder: Path, extras: str = "") -> Path:
    "Make a clean environment with only the wheel, its named extras, papermill and a kernel; its Python."
    venv = folder / f"venv-{extras or 'base'}"
    uv = next((str(u) for u in (BIN / "uv", shutil.which("uv")) if u and Path(u).exists()), None)
    wanted = [f"{wheel}[{extras}]" if extras else wheel, "papermill", "ipykernel"]
    if uv:
        sh(uv, "venv", "--quiet", "--python", sys.executable, venv)
        sh(uv, "pip", "install", "--quiet", "--python", venv / "bin/python", *wanted, timeout=900)
    else:
        sh(sys.executable, "-m", "venv", venv)
        sh(venv / "bin/python", "-m", "pip", "install", "--quiet", *wanted, timeout=1500)
    return venv / "bin/python"


def clean_environment(folder: Path, python: Path) -> dict[str, str]:
    "Nothing of this checkout and nothing of this user's Jupyter: only the clean environment."
    jupyter = {name: str(folder / "jupyter") for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    quiet = {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0", "HF_HUB_OFFLINE": "1"}
    return {**jupyter, **quiet, "PATH": path, "PYTHONPATH": "", "VIRTUAL_ENV": ""}


def import_wheel(python: Path, folder: Path, env: dict[str, str]) -> str:
    "Import it from an empty folder: from the wheel, at the version of settings.ini, every public name there."
    code = (
        "import nsfw_dreambooth as n, json; "
        "print(json.dumps([n.__file__, n.__version__, [name for name in n.__all__ if getattr(n, name, None) is None]]))"
    )
    file, version, missing = json.loads(sh(python, "-c", code, cwd=folder, env=env).strip().splitlines()[-1])
    if ROOT in Path(file).parents or missing:
        raise CheckFailed(f"imported from {file}; missing names: {missing}")
    return f"version {version}"


def extras_of(notebook: Path) -> str:
    "The extras that a tutorial's `%pip install` names, e.g. `fast,serve`; the tutorial gets these and no others."
    found = re.search(r"%pip install.*nsfw_dreambooth\[([\w,]+)\]", notebook.read_text(encoding="utf-8"))
    return found[1] if found else ""


def tutorial(notebook: Path, python: Path, folder: Path, env: dict[str, str]) -> list[Result]:
    "Run one tutorial by papermill outside the repository, without the cells that are not for this machine."
    nb = read_nb(notebook)
    nb.cells = [cell for cell in nb.cells if cell.cell_type != "code" or not unwanted(cell, set())]
    work = folder / notebook.stem
    work.mkdir()
    write_nb(nb, work / "in.ipynb")
    command = [python, "-m", "papermill", "in.ipynb", "out.ipynb", "-k", "python3", "--no-progress-bar"]
    name = f"{notebook.relative_to(ROOT)}, from the wheel"
    return list(timed(name, lambda: sh(*command, cwd=work, env=env, timeout=TIMEOUT) and ""))


def check() -> Iterator[Result]:
    "All of it, step by step; a step that fails ends the chain and counts the rest as not run."
    with tempfile.TemporaryDirectory() as name:
        folder, start = Path(name), time.perf_counter()
        try:
            wheel = build(folder)
            yield Result("wheel built", "passed", time.perf_counter() - start, f"{wheel.stat().st_size / 1e6:.1f} MB")
            start = time.perf_counter()
            python = install(wheel, folder)
        except CheckFailed as error:
            yield Result("wheel built and installed", "failed", time.perf_counter() - start, str(error))
            return
        yield Result("wheel installed alone", "passed", time.perf_counter() - start)
        empty, env = folder / "empty", clean_environment(folder, python)
        empty.mkdir()
        yield from timed("wheel imported from a clean folder", lambda: import_wheel(python, empty, env))
        pythons = {"": python}
        tutorials = sorted(TUTORIALS.glob("*.ipynb"), key=lambda page: -page.stat().st_size)  # the long ones first
        for extras in {extras_of(page) for page in tutorials} - {""}:
            start, name = time.perf_counter(), f"wheel installed with [{extras}]"
            try:
                pythons[extras] = install(wheel, folder, extras)
                yield Result(name, "passed", time.perf_counter() - start)
            except CheckFailed as error:
                yield Result(name, "failed", time.perf_counter() - start, str(error))

        def run(page: Path) -> list[Result]:
            chosen = pythons.get(extras_of(page))
            if chosen is None:
                return [Result(f"{page.relative_to(ROOT)}, from the wheel", "failed", 0, "its extras could not be installed")]
            return tutorial(page, chosen, folder, clean_environment(folder, chosen))

        with ThreadPoolExecutor(2) as pool:
            for results in pool.map(run, tutorials):
                yield from results
