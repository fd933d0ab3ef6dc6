"""Where notifications are sent: Apprise, a webhook, a program; and where their secrets are.

Never decides what is sent, or when: that is ``commands.watch.notifier``.
"""
