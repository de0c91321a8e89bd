"""Where one asset is changed for another."""
