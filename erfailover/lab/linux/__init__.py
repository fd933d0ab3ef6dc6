"""The Linux data plane: gateways, VNets and machines as network namespaces with real routers.

Never decides what Azure would do: the parsed resources are translated, and BIRD, strongSwan and
the kernel do the rest.
"""
