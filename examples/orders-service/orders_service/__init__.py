"""A service that owns a copy of a legacy shop's orders, fed by walbridge."""
