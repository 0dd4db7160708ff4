"""A mesh, what changes in it and what was proven of it, to one page that needs nothing else."""
