"""Resource types of Microsoft.Compute."""
