//! From domain events to records. Pure.
