"""Finished runs as tables, figures, findings in plain words and one HTML report.

:mod:`~relax.results.collect` reads the run records, :mod:`~relax.results.statistics` makes intervals of
them, :mod:`~relax.results.tables`, :mod:`~relax.results.figures` and :mod:`~relax.results.findings` show
them, :mod:`~relax.results.paper_tables` sets them beside the printed numbers,
:mod:`~relax.results.report` binds everything into one page. A missing run never stops any of them.
"""
