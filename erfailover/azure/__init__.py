"""The only importer of the Azure SDK: credentials, clients, polling, error translation, calls.

Importing this package costs nothing; its modules load the SDK.
"""
