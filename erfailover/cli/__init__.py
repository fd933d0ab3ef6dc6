"""What the command line has of its own: examples in every help, and commands about itself.

It knows no site and no Azure. Importing it costs next to nothing.
"""
