"""The study of docs/study.md: its runs as tracked records, its tests, and docs/evidence.md made from them."""
