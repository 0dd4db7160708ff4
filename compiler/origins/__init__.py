"""A place in the documents to what it comes from: the inventory's fields, the compiler's rule."""
