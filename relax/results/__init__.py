"""Finished runs as tables, figures, findings in plain words, status of the paper's claims and one HTML report.

:mod:`~relax.results.collect` reads the run records, :mod:`~relax.results.intervals` makes intervals of
them, :mod:`~relax.results.tables.all`, :mod:`~relax.results.figures.all` and :mod:`~relax.results.findings` show
them, :mod:`~relax.results.tables.paper_tables` sets them beside the printed numbers, :mod:`~relax.results.claims.runs`
holds them against what the paper claims, :mod:`~relax.results.report.page` binds everything into one page,
:mod:`~relax.records.why` says what is behind a number. A missing run never stops any of them.
"""
