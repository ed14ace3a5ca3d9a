from .job import benchmark as benchmark
