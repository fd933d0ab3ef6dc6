"""The outage of a switch, measured by packets on the Linux data plane, beside the model."""
