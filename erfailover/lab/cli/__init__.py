"""``erfailover lab``: start, stop and control a lab that runs in a separate process.

Never holds a world: it calls the lab's process over HTTPS.
"""
