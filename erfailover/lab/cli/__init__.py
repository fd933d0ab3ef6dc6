"""``erfailover lab``: start, stop and control a lab that runs in a process of its own.

Never holds a world: it calls the lab's process over HTTPS.
"""
