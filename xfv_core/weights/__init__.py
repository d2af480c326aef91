"""The manifest of the networks, their pinned files, and what was measured of them."""
