"""Functions over an open database, by what they keep.

`Store` opens the transaction around those that write.
"""
