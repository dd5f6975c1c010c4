"""Stored notebooks of at most 300 kB: where one is larger, its largest pictures get a palette, one after another.

python .ci/pictures.py NOTEBOOK ...   `run_notebook.py --save` does it by itself
"""

import argparse
import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

LIMIT = 300_000  # characters of a notebook
COLORS = 256  # of a palette: as many as an 8-bit PNG can name
FLAT = 4  # most frequent colours, which stay as they are: white paper stays white


def with_palette(png: bytes) -> bytes:
    "The same picture in at most 256 colours of its own, or as it was where that is no smaller; transparency stays as it was."
    picture, made = Image.open(io.BytesIO(png)), io.BytesIO()
    if picture.mode == "P" or (picture.mode == "RGBA" and picture.getextrema()[3] != (255, 255)):
        return png
    picture = picture.convert("RGB")
    reduced = picture.quantize(COLORS, Image.Quantize.MEDIANCUT, kmeans=2)
    palette, indices, pixels = reduced.getpalette(), reduced.tobytes(), picture.tobytes()
    for _, color in sorted(picture.getcolors(picture.width * picture.height))[-FLAT:]:
        place = next(i for i in range(0, len(pixels), 3) if pixels[i : i + 3] == bytes(color)) // 3
        palette[3 * indices[place] : 3 * indices[place] + 3] = color
    reduced.putpalette(palette)
    reduced.save(made, "PNG", optimize=True)
    return min(png, made.getvalue(), key=len)


def bundles(cells: list) -> Iterator[dict]:
    "What the outputs of a notebook's cells show, kind by kind."
    for cell in cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                yield output["data"]


def shrink(notebook: dict) -> int:
    "Give palettes to pictures, in place, until the notebook is small enough; how many characters are saved."
    size, saved = len(json.dumps(notebook, indent=1, ensure_ascii=False)), 0
    for data in sorted(bundles(notebook["cells"]), key=lambda data: -len("".join(data["image/png"]))):
        if size - saved <= LIMIT:
            break
        old = "".join(data["image/png"])
        data["image/png"] = base64.b64encode(with_palette(base64.b64decode(old))).decode() + "\n" * old.endswith("\n")
        saved += len(old) - len(data["image/png"])
    return saved


def main() -> None:
    "Shrink the pictures of notebooks that are not to be run again."
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", type=Path, nargs="+")
    for path in parser.parse_args().notebooks:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        saved = shrink(notebook)
        if saved:
            path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {saved / 1000:.0f} kB less")


if __name__ == "__main__":
    main()
