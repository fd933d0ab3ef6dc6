"""The site file: parsed, validated with the line of each problem, turned into a site.

Never calls Azure.
"""
