"""A git repository: reading states from its history, committing new ones to its work tree."""
