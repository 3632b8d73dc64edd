"""Benchmarks through lm-eval: questions, responses, grades, scores."""

from typing import Any

__all__ = ["Grade", "Status", "grade", "grade_many"]


def __getattr__(name: str) -> Any:
    # The grader is that of training rewards too, and is in a room of its own; imported on first use.
    if name in __all__:
        from relax import grading

        return getattr(grading, name)
    raise AttributeError(f"module 'relax.evaluation' has no attribute {name!r}")
