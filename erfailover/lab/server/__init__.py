"""The lab over HTTPS on this machine: server, control API, certificates, state folder.

Never decides how Azure answers.
"""
