"Results of checks: run them, time them, print them, count them."

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent  # tools of the same environment: nbdev_clean, ruff, lint-imports ...


@dataclass
class Result:
    "What became of one check."

    name: str
    status: str  # "passed", "failed" or "skipped"
    seconds: float = 0.0
    note: str = ""  # why it failed or was skipped

    def show(self) -> None:
        "Print the result on one line, and under a failure its reason."
        first, *rest = self.note.strip().splitlines() or [""]
        print(f"{self.status:>8} {self.seconds:6.1f} s  {self.name}{f'  ({first})' if first else ''}", flush=True)
        for line in rest:
            print(f"           | {line}", flush=True)


class CheckFailed(Exception):
    "A check did not hold; the message says what to do."


def timed(
    name: str,
    check: Callable[[], str | Iterable[Result] | None],  # returns a note, or results of its own, or raises
) -> Iterator[Result]:
    "Run one check and yield its results; anything it raises is a failure, never the end of the run."
    start = time.perf_counter()
    try:
        outcome = check()
        if outcome is None or isinstance(outcome, str):
            yield Result(name, "passed", time.perf_counter() - start, outcome or "")
        else:
            yield from outcome
    except Exception as error:
        note = str(error) if isinstance(error, CheckFailed) else f"{type(error).__name__}: {error}"
        yield Result(name, "failed", time.perf_counter() - start, note)


def summary(results: list[Result]) -> tuple[str, bool]:
    "The closing line and whether all is well: nothing failed and something passed."
    count = {status: sum(r.status == status for r in results) for status in ("passed", "failed", "skipped")}
    line = ", ".join(f"{number} {status}" for status, number in count.items())
    return line, count["failed"] == 0 and count["passed"] > 0


def sh(
    *command: str | Path,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,  # added to this process's own
    timeout: float = 600,  # seconds; the whole process group is ended after it
) -> str:  # what it printed
    "Run a command in a process group of its own; raise `CheckFailed` with the end of its output."
    process = subprocess.Popen(
        [str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise CheckFailed(f"took longer than {timeout:.0f} s\n{tail(output)}") from None
    if process.returncode:
        raise CheckFailed(f"{Path(command[0]).name} exited with {process.returncode}\n{tail(output)}")
    return output


def tail(text: str, lines: int = 40) -> str:
    "The last lines of an output."
    return "\n".join(text.strip().splitlines()[-lines:])
