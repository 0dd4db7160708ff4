"""A live cluster to an inventory in files, for a repository: only what compiling needs of it."""
