"""Benchmarks through lm-eval, and the grading that training rewards share."""

from typing import Any

__all__ = ["Grade", "Status", "grade", "grade_many"]


def __getattr__(name: str) -> Any:
    # Imported on first use: the child processes that grade import this package too, and nothing else of it.
    if name in __all__:
        from relax.evaluation import grading

        return getattr(grading, name)
    raise AttributeError(f"module 'relax.evaluation' has no attribute {name!r}")
