"""Documents to what a reviewer needs: what a change means, what it risks, and what it proves.

Pure: everything here is a function of documents alone. No host, no git, no clock.
"""
