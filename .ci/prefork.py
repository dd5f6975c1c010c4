"""Run notebooks, each in a process of its own: children forked from one that has imported the heavy libraries once.

python .ci/prefork.py WORKERS TIMEOUT FLAGS NOTEBOOK...
Imports were a third of a whole run. Only libraries are imported beforehand, nothing of this package, and no thread of theirs
computes before the fork. For every notebook that ended, in the order of their ends, a line of JSON: notebook, status, seconds, output.
"""

import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import run_notebook

LIBRARIES = (
    "torch", "torchvision", "timm", "sklearn.datasets", "matplotlib.pyplot", "diffusers.schedulers",
    "diffusers.models.unets.unet_2d_condition", "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion", "pytorch_lightning", "faiss", "nbdev.showdoc",
    "torch.utils.tensorboard",
)  # fmt: skip


class Child:
    "A forked notebook: its process, its output and its own folder for temporary files."

    def __init__(self, notebook: str, flags: str):
        self.notebook, self.start = notebook, time.perf_counter()
        self.folder = Path(tempfile.mkdtemp(prefix="notebook-"))
        self.folder.chmod(0o755)  # a test that gives up its rights still finds its files
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self.become(flags)

    def become(self, flags: str) -> None:
        "In the child: a process group and an output of its own, then the notebook; never returns."
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        log = os.open(self.folder / "output", os.O_WRONLY | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(log, stream)
        (self.folder / "tmp").mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.folder / "tmp")
        sys.argv = ["run_notebook.py", self.notebook, "--flags", flags]
        sys.exit(run_notebook.main())

    def kill(self) -> None:
        "End it, and what it may have started and not ended."
        with contextlib.suppress(ProcessLookupError):  # it has ended, and left nothing
            os.killpg(self.pid, signal.SIGKILL)

    def finish(self, status: int) -> None:
        "Report the end of it, and leave nothing of it behind."
        seconds = time.perf_counter() - self.start
        self.kill()
        output = (self.folder / "output").read_text(encoding="utf-8", errors="replace")
        print(json.dumps({"notebook": self.notebook, "status": status, "seconds": seconds, "output": output[-20_000:]}), flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> None:
    "Keep so many children running until all notebooks are done."
    workers, timeout, flags, *waiting = sys.argv[1:]
    for name in LIBRARIES:
        importlib.import_module(name)
    running: dict[int, Child] = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = os.getpid()
    try:
        while waiting or running:
            while waiting and len(running) < int(workers):
                child = Child(waiting.pop(0), flags)
                running[child.pid] = child
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid in running:
                running.pop(pid).finish(os.waitstatus_to_exitcode(status))
                continue
            for child in running.values():
                if time.perf_counter() - child.start > float(timeout):
                    child.kill()
            time.sleep(0.05)
    finally:
        if os.getpid() == server:  # a child comes by here too, when its notebook is done
            for child in running.values():
                child.kill()


if __name__ == "__main__":
    main()
