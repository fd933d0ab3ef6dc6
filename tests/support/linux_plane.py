"""What a test of the Linux data plane says that could not run."""

LINUX_PLANE_SKIPPED = "The Linux data plane was not tested"
"""The reason begins with it where namespaces are refused or programs are missing."""
