"""Trainings and measurements as jobs: pure functions of what their hash covers, whose results are files.

A `Training` and a `Measurement` are data; a `Call` among them is a function and its arguments. One pool does the jobs whose
files are missing, in processes of this machine or on an `Executor` of one's own; it knows nothing of studies.
"""
