"""A mesh, or what changes in it, to pictures as text: SVG, Mermaid, DOT."""
