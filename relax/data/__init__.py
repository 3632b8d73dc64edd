"""Problems: one schema, generators of synthetic tasks, loaders."""
