"""Labels for more pairs than one computer can process: a job on Ray Data with its own bookkeeping.

Pairs are read (`inputs`), decoded (`decoding`), predicted (`labelling`) and written (`writing`,
`outputs`) in blocks. `job` joins these stages; `capacity` says how many machines a job needs. No
module here imports Ray or torch before a job runs.
"""
