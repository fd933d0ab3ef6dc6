"""Peerings that Terraform or Bicep manages as well: drift and export. Pure.

Never decides which flags a peering should have.
"""
