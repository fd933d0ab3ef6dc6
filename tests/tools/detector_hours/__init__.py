"""Many modelled hours of the detector and the policy: does a switch ever come wrongly, or not?"""
