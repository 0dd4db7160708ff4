"""Where something in a state folder comes from: what was asked for, what is told, how it reads."""
