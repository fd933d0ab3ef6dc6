"""An existing network as a site file. Pure.

Never hides a doubt: what an operator should check becomes a remark.
"""
