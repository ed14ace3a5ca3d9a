"""Models behind HTTP: `samantic serve`. Needs the extra `serve`; exported files need no torch.

A request passes `limits` (bytes, time), `guard` (token), `app` (routes), `uploads` (the form and
its images), `engine` (the queue and the model's thread) and `answers`.
"""
