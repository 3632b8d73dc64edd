"""What finished runs show of each claim of the paper."""
