"""Where a normal law is looked at so that its mean of a function is right: Gauss and Hermite's fifteen places. Pure.

Three were not enough: of a rare liquidation they gave between a thousandth and half as much again of its probability
over what volatility may become. Fifteen are within a twentieth of it above one in a thousand (tests hold it).
"""

from __future__ import annotations

NODES = (
    (-6.36394788882984, 8.58964989963325e-10),
    (-5.19009359130478, 5.9754195979206e-07),
    (-4.19620771126902, 5.64214640518903e-05),
    (-3.28908242439877, 0.00156735750354996),
    (-2.43243682700976, 0.0173657744921376),
    (-1.60671006902873, 0.0894177953998444),
    (-0.799129068324548, 0.232462293609732),
    (0.0, 0.318259518259518),
    (0.799129068324548, 0.232462293609732),
    (1.60671006902873, 0.0894177953998444),
    (2.43243682700976, 0.0173657744921376),
    (3.28908242439877, 0.00156735750354996),
    (4.19620771126902, 5.64214640518903e-05),
    (5.19009359130478, 5.9754195979206e-07),
    (6.36394788882984, 8.58964989963325e-10),
)
"""Place, in deviations, and weight. Exact for what is a polynomial up to the 29th power."""
THREE = ((-(3**0.5), 1 / 6), (0.0, 2 / 3), (3**0.5, 1 / 6))
"""What reports before version 3 were made by."""
