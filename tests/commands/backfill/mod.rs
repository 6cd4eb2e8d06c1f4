//! Old rows: told once, told again, and what operators ask of that.

mod asked;
mod brought;
mod changed;
mod growing;
mod old_rows;
