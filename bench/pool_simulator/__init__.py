"""The policy of the pool in virtual time, beside plain pools: who waits for how long, and the cost.

There is no input and output: connections, servers and users are numbers in `simulation.py`.
"""
