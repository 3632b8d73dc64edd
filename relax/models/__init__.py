"""Initial policies: tiny ones made from scratch, pinned snapshots of the hub."""
