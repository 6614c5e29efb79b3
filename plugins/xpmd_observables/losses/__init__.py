"""Losses: how far observables are from where they should be, and sums of several."""

from xpmd_observables.losses.contact_map_match import contact_map_match
from xpmd_observables.losses.radial_distribution_match import radial_distribution_match
from xpmd_observables.losses.squared_deviation import squared_deviation
from xpmd_observables.losses.weighted_sum import WeightedSum

__all__ = ["WeightedSum", "contact_map_match", "radial_distribution_match", "squared_deviation"]
