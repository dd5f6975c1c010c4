"""Widgets for notebooks; each is imported when it is first used, so that a review imports no diffusion model."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers
    from .browse import PictureMap, SearchBox
    from .playground import Playground
    from .review import ClusterReview, ReviewQueue

_HOME = {  # widget -> the module that holds it
    "Playground": "playground",
    "ReviewQueue": "review",
    "ClusterReview": "review",
    "SearchBox": "browse",
    "PictureMap": "browse",
}

__all__ = ["ClusterReview", "PictureMap", "Playground", "ReviewQueue", "SearchBox"]


def __getattr__(name: str):
    "Import a widget from its module when it is first asked for (PEP 562)."
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; widgets: {', '.join(__all__)}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value  # the next access comes straight here
    return value


def __dir__() -> list[str]:
    "The widgets, for tab completion."
    return sorted(__all__)
