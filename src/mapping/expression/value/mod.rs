//! Values of each type, computed and written as PostgreSQL does.

pub(super) mod decimal;
pub(super) mod float;
pub(super) mod like;
pub(super) mod stamp;
pub(super) mod text;
