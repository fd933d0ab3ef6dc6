"""``erfailover lab``: start, stop and control a lab that runs in a process of its own.

Never holds a world: it asks the lab's process over HTTPS.
"""
