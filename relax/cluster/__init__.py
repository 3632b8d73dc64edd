"""A Slurm cluster: what the site says of itself, what each job asks for, what Slurm answers.

Light on purpose, as every cluster job parses the workflow again: the standard library, `relax.config`, `relax.errors`.
"""
