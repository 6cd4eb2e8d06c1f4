//! From row changes to domain events, as entities declare it. Pure.

pub mod compile;
pub mod difference;
pub mod entity;
pub mod explained;
pub mod expression;
pub mod fitted;
pub mod form;
pub mod plan;
pub mod public_id;
mod sides;
pub mod tell;
pub mod untellable;
mod voice;
