//! The plots of a report, as SVG.
//!
//! Colours stand in the SVG as they look on white, and [`STYLE`] gives each another on a dark page: it finds them by their
//! value, since the elements have no classes.

mod axis;
mod canvas;
mod percentiles;
mod timeline;

pub(super) use percentiles::percentiles;
pub(super) use timeline::{latencies_over_time, throughput_over_time};

/// What the page must say in its style sheet, so that the plots look right.
pub(super) const STYLE: &str = include_str!("plots/style.css");

/// Why a plot could not be drawn. Into a string it always can, but its library can't know that.
pub(super) type Fault = plotters::drawing::DrawingAreaErrorKind<std::io::Error>;
