"""What every application stands on; imports none of them."""
