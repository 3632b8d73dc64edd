"""Benchmarks through lm-eval, and the grading that training rewards share."""
