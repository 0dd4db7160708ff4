"""Plans that are made at one time and carried out at another: exactly their operations, or none.

``save_plan`` makes one on a host, :mod:`applier.saved.text` writes it down and reads it back on any
machine, and ``apply_saved`` carries it out on the same host, if nothing that it was made from has
changed. It is compared, never trusted: what is carried out is a plan made anew that says the same.
"""
