//! From row changes to domain events, as entities declare it. Pure.

pub mod entity;
pub mod expression;
pub mod form;
