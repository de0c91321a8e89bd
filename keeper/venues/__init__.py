"""Sans-I/O codecs, one file per protocol: they say which calls they need and read the answers."""
