"""The shell: the command line, the folders and files it reads and writes, and how things read.

Nobody imports this package. It imports every other room, inside the command that needs it,
so that a command pays only for what it uses.
"""

from typing import Final

__version__: Final = "0.1.0"
