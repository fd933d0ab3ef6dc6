"""The site file: read, checked with the line of each problem, made a site."""
