"""What can be asked of the file and written to it: one class for each kind of thing.

A method opens the session, calls one function of `storage.tables` or
`storage.query`, and returns plain values. A new question is a function there, a
method here, and a line in `tests/storage/test_store.py` if it writes.
"""
