"""The grader: is a response right? One answer for training rewards, for analysis and for evaluation."""

from typing import Any

__all__ = ["Grade", "Status", "grade", "grade_many"]


def __getattr__(name: str) -> Any:
    # Imported on first use: the child processes that grade import this package too, and nothing else of it.
    if name in __all__:
        from relax.grading import grader

        return getattr(grader, name)
    raise AttributeError(f"module 'relax.grading' has no attribute {name!r}")
