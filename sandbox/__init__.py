"""A local world of real contracts on anvil: Aave v3.6, Uniswap v3, Multicall3, Chainlink-shaped feeds.

Start reading at `world.py`; what the world contains is data in `spec.py`.
"""
