"""Where a site's journal and lease are kept: the interface, the local file, what joins them.

Never decides about networks, and never imports the SDK: the store in Azure Blob storage is
``azure.blob_store``.
"""
