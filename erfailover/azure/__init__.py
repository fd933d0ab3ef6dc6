"""Azure: credentials, clients, reads, writes, retries, polling; the only importer of the SDK.

Never passes a type or an exception of the SDK to a caller, and never decides what to write.

Importing this package costs nothing; its modules load the SDK.
"""
