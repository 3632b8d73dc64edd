"""A Slurm cluster: what the site says of itself, what each job asks for, what Slurm answers.

Light on purpose, as every cluster job parses the workflow again: the standard library, and `relax.config`,
`relax.errors` and `relax.files`, which are light too.
"""
