"""The paper (arXiv 2512.07558): its printed numbers, what does not follow from them, and what it claims."""
