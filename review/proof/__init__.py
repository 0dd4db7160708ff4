"""The documents of a mesh to a proof that it is private and connected, or to counter-examples.

Two arguments make the proof short. ``docs/proof.md`` tells them at length.

*Packets.* Documents decide by comparing addresses to prefixes. Between the ends of all prefixes
nothing tells one address from another, so one of each piece is walked (:mod:`review.proof.atlas`).

*Hosts.* Two hosts whose documents are equal, but for what is their own and nobody else's, are one
host under two names: a renaming changes no comparison, so it changes no story. What two hosts
share is found by one sorted sweep, and whoever shares anything is in a class of its own
(:mod:`review.proof.classes`). Three of a class are walked for all: no claim speaks of more hosts
than a sender, a receiver and somebody whose name is used.

What leaves in clear is decided on the host that it leaves. So failures, and the steps between two
states, are walked one host at a time, whatever the others do meanwhile.
"""
