"""What ``erfailover watch`` shows and sends. Pure."""
