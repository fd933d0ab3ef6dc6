"""The layout of the Linux data plane, translated from the lab's parsed resources. Pure.

Never runs anything: the agent makes the layout real.
"""
