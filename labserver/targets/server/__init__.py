"""A server that the user's own command line starts, with an agent in every Python process of it."""
