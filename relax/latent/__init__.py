"""Hidden states of a policy's responses, and the small statistics that everything follows from."""
