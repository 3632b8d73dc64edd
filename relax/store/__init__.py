"""The MLflow store: run records go in (:mod:`~relax.store.export`), tables come out again
(:mod:`~relax.store.restore`), and a server can be told of a training while it runs (:mod:`~relax.store.live`)."""
