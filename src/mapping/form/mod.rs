//! Published forms: how a column's text becomes the value that is published.
