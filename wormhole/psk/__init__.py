"""The mesh's pre-shared keys: which epochs there are, who holds them, how they change."""
