"""Peerings that stand in Terraform or Bicep as well: drift and export. Pure."""
