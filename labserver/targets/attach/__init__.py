"""Puts the agent into a process that has not called `labserver.listen()`, and takes it out again at the end."""
