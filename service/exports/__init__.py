"""Paper out: the nightly export, and the tables and workbooks that an office takes away."""
