"""Tests of erfailover."""
