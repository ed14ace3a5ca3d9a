"""Labels for more pairs than one computer can take: Ray Data is the engine, the bookkeeping ours.

`pairs` come in (`inputs`), are decoded (`decoding`), predicted (`labelling`), and written
(`writing`, `outputs`) in blocks; `job` joins these stages, and `capacity` says how many machines it
takes. Nothing here imports Ray or torch before a job runs.
"""
