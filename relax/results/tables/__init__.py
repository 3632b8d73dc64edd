"""Tables of finished runs, and the paper's tables with ours beside what is printed."""
