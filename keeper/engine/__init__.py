"""One block's story, from what was read to what was sent and written down."""
