"""Run records: what a verb did, from what, with what code; the chain behind a result; what is tracked of a run."""
