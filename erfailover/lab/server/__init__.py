"""The lab over HTTPS on this machine: server, control API, state folder."""
