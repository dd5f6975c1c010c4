"""The documentation site in `_docs`: `make docs`.

Pages are staged by nbdev (`_proc`) and rendered by Quarto where it is on PATH, else by smalldocs from the same
`_quarto.yml`. `nbdev_docs` is not called: it would install Quarto, and make README.md a second time.
"""

import json
import os
import re
import shutil
import sys
import tarfile
from pathlib import Path

import yaml
from tally import BIN, ROOT, CheckFailed, sh

SITE, STAGE, NBS = ROOT / "_docs", ROOT / "_proc", ROOT / "nbs"
# Sections of the sidebar, in reading order: folders, and notebooks that stand alone
SECTIONS = {
    "core": "Core", "moderation": "Moderation", "diffusion": "Diffusion", "dreambooth": "DreamBooth",
    "guarded": "Guarded", "demo": "Demo", "commands": "Commands", "cli": "Commands", "widgets": "Widgets",
    "tutorials": "Tutorials", "benchmarks": "Benchmarks", "dependencies": "Dependencies",
}  # fmt: skip
KATEX = re.compile(r"https://cdn\.jsdelivr\.net/npm/katex@([\d.]+)/dist")
PROCESS = """
import importlib
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs
from prefork import LIBRARIES
if __name__ == "__main__":
    for name in LIBRARIES: importlib.import_module(name)  # once, for both workers
    refresh_quarto_yml()
    proc_nbs(n_workers=2)
"""
NUMBER = re.compile(r"^\d+_")


def sidebar() -> dict:
    "The sidebar: sections in reading order, notebooks by their numbers."
    contents: list = [{"text": "Overview", "href": "index.ipynb"}]
    for name, title in SECTIONS.items():
        if pages := [str(page.relative_to(NBS)) for page in sorted((NBS / name).glob("*.ipynb"))]:
            contents.append({"section": title, "contents": pages})
        contents += [str(page.relative_to(NBS)) for page in sorted(NBS.glob(f"*_{name}.ipynb"))]
    return {"website": {"sidebar": {"contents": contents}}}


def stage() -> None:
    "Write the settings that nbdev derives, and let it turn the notebooks into pages in `_proc`."
    shutil.rmtree(STAGE, ignore_errors=True)
    (NBS / "sidebar.yml").write_text(yaml.safe_dump(sidebar(), sort_keys=False), encoding="utf-8")
    env = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / ".ci"))), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    sh(sys.executable, "-c", PROCESS, env=env, timeout=900)
    restore_openings()


def restore_openings() -> None:
    "nbdev takes title and subtitle out of the first cell and drops the paragraph under them: put it back."
    for page in sorted(STAGE.rglob("*.ipynb")):
        original = NBS / page.relative_to(STAGE)
        first = json.loads(original.read_text(encoding="utf-8"))["cells"][0]
        lines = "".join(first["source"]).splitlines()
        opening = "\n".join(line for line in lines if not re.match(r"(#|>)\s", line)).strip()
        staged = json.loads(page.read_text(encoding="utf-8"))
        if first["cell_type"] == "markdown" and opening and staged["cells"][0]["cell_type"] == "raw":
            staged["cells"].insert(1, {"cell_type": "markdown", "id": "opening", "metadata": {}, "source": opening})
            page.write_text(json.dumps(staged), encoding="utf-8")


def page_name(path: str) -> str:
    "The path of a page without the numbers of its notebook: core/00_images.ipynb -> core/images.ipynb."
    return str(Path(path).with_name(NUMBER.sub("", Path(path).name)))


def without_numbers() -> None:
    "smalldocs names pages by their files, so the staged files and the links between them lose their numbers."
    for page in sorted(STAGE.rglob("*.ipynb")):
        text = re.sub(r"(?<=[/(\"])\d+_(\w+)\.(?=ipynb|html)", r"\1.", page.read_text(encoding="utf-8"))
        text = re.sub(r"output-file: [\w.-]+\\n", "", text)  # a key of Quarto's alone
        page.unlink()
        page.with_name(NUMBER.sub("", page.name)).write_text(text, encoding="utf-8")
    side = STAGE / "sidebar.yml"
    renamed = re.sub(r"[\w/]+\.ipynb", lambda m: page_name(m[0]), side.read_text(encoding="utf-8"))
    side.write_text(renamed, encoding="utf-8")


def katex_offline() -> str:
    "Put npm's KaTeX beside the pages instead of the link to a server; without npm the link stays."
    pages = [page for page in STAGE.glob("_docs/**/*.html") if KATEX.search(page.read_text(encoding="utf-8"))]
    if not pages or not shutil.which("npm"):
        return "maths need the network" if pages else ""
    version = KATEX.search(pages[0].read_text(encoding="utf-8"))[1]
    try:
        sh("npm", "pack", "--silent", f"katex@{version}", cwd=STAGE, timeout=120)
    except CheckFailed:
        return "maths need the network: npm had no katex"
    with tarfile.open(STAGE / f"katex-{version}.tgz") as tar:
        tar.extractall(STAGE / "katex", filter="data")
    shutil.copytree(STAGE / "katex/package/dist", STAGE / "_docs/site_libs/katex", dirs_exist_ok=True)
    for page in pages:
        up = "../" * (len(page.relative_to(STAGE / "_docs").parts) - 1)
        page.write_text(KATEX.sub(f"{up}site_libs/katex", page.read_text(encoding="utf-8")), encoding="utf-8")
    return ""


def render() -> str:
    "Render the staged pages and move the site into place; which renderer did it."
    if shutil.which("quarto"):
        sh("quarto", "render", "--no-cache", cwd=STAGE, timeout=900)
        note = "Quarto"
    else:
        without_numbers()
        warnings = sh(BIN / "smalldocs", "render", "--quiet", STAGE, timeout=300).strip()
        note = "\n".join(filter(None, ["smalldocs", katex_offline(), warnings]))
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(STAGE / "_docs", SITE)
    return note


def verify() -> str:
    "Every notebook has its page, and every stored picture of a notebook is on it."
    missing, pictures = [], 0
    for notebook in sorted(NBS.rglob("*.ipynb")):
        if ".ipynb_checkpoints" in notebook.parts:
            continue
        page = SITE / Path(page_name(str(notebook.relative_to(NBS)))).with_suffix(".html")
        if not page.exists():
            missing.append(f"{notebook.relative_to(ROOT)} has no page")
            continue
        stored, shown = stored_pictures(notebook), page.read_text(encoding="utf-8").count("<img")
        pictures += stored
        if shown < stored:
            missing.append(f"{page.relative_to(ROOT)} shows {shown} of {stored} pictures")
    if missing:
        raise CheckFailed("the site is not whole\n" + "\n".join(missing))
    return f"{pictures} pictures"


def stored_pictures(notebook: Path) -> int:
    "How many pictures the outputs of a notebook hold, outside of hidden and exported cells."
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    shown = [cell for cell in code if not re.match(r"#\|\s*(hide|export)", "".join(cell["source"]))]
    return sum("image/png" in output.get("data", {}) for cell in shown for output in cell["outputs"])


def check() -> str:
    "Build the site and look at what came out."
    stage()
    note = render()
    first, *rest = note.splitlines()
    return "\n".join([f"{first}, {verify()}", *rest])


if __name__ == "__main__":
    try:
        print(f"_docs/index.html made by {check()}")
    except CheckFailed as error:
        sys.exit(str(error))
