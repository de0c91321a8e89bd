"""The page: shows what the keeper sees and did, from the journal and a view of it. Signs nothing, reads no chain."""
