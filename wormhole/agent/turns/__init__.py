"""One turn after another: when the next is due, what it does, and what is wrong after it."""
