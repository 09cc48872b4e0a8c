"""Session stores: the contract, the stores and the layers in front of them."""
