"""Before any test imports Ray: it reports nothing, and takes 127.0.0.1 for what it is."""

import os

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

if "SAMANTIC_RAY_TESTS" not in os.environ:
    collect_ignore = ["test_batch.py"]  # test_process.py runs it where Ray can do no harm
