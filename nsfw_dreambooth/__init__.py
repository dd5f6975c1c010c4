"""Image moderation and DreamBooth fine-tuning, with a guard between them.

The public names are imported when they are first used, so that `from nsfw_dreambooth import Classifier`
never imports diffusers, and `import nsfw_dreambooth` imports nothing heavy at all.
"""

__version__ = "0.1.0"

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers
    from .core.images import load_images
    from .diffusion.pipeline import Diffusion
    from .dreambooth.evaluate import evaluate
    from .dreambooth.subject import Subject
    from .dreambooth.train import DreamBoothConfig, train_dreambooth
    from .guarded import Guard, Verdict, generate
    from .moderation.classifier import Classifier, Scores
    from .moderation.clusters import cluster, project
    from .moderation.export import export
    from .moderation.index import Index
    from .moderation.probe import fit_probe
    from .moderation.scan import scan
    from .moderation.thresholds import choose_threshold

_HOME = {  # public name -> the module that holds it
    "load_images": "core.images",
    "Classifier": "moderation.classifier",
    "Scores": "moderation.classifier",
    "scan": "moderation.scan",
    "export": "moderation.export",
    "Index": "moderation.index",
    "cluster": "moderation.clusters",
    "project": "moderation.clusters",
    "fit_probe": "moderation.probe",
    "choose_threshold": "moderation.thresholds",
    "Diffusion": "diffusion.pipeline",
    "Subject": "dreambooth.subject",
    "DreamBoothConfig": "dreambooth.train",
    "train_dreambooth": "dreambooth.train",
    "evaluate": "dreambooth.evaluate",
    "Guard": "guarded",
    "Verdict": "guarded",
    "generate": "guarded",
}

__all__ = [
    "Classifier", "Diffusion", "DreamBoothConfig", "Guard", "Index", "Scores", "Subject", "Verdict",
    "choose_threshold", "cluster", "evaluate", "export", "fit_probe", "generate", "load_images", "project", "scan", "train_dreambooth",
]  # fmt: skip


def __getattr__(name: str):
    "Import a public name from its module when it is first asked for (PEP 562)."
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; public names: {', '.join(__all__)}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value  # the next access comes straight here
    return value


def __dir__() -> list[str]:
    "The public names and the version, for tab completion."
    return sorted([*__all__, "__version__"])
