//! Draws series on axes, all in one manner.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Fault;
use super::axis::Axis;

/// Coordinates of the library are whole numbers. The picture is drawn this much larger, so that curves are smooth.
const SCALE: u32 = 4;
/// Width and height as they are meant to be seen, in pixels.
const SIZE: (u32, u32) = (880, 320);
const TEXT: u32 = 13;
/// Of a glyph of that size, on average. Nobody here knows the font that it will be shown in.
const GLYPH: f64 = 6.9;

const STRONG: RGBColor = RGBColor(0x1f, 0x29, 0x33);
const MUTED: RGBColor = RGBColor(0x5b, 0x66, 0x73);
const GRID: RGBColor = RGBColor(0xe1, 0xe5, 0xea);
const FRAME: RGBColor = RGBColor(0xaa, 0xb2, 0xbc);
/// The colours of series, which [`super::STYLE`] knows.
pub(super) const BLUE: RGBColor = RGBColor(0x1d, 0x63, 0xd8);
pub(super) const ORANGE: RGBColor = RGBColor(0xc2, 0x57, 0x0c);
pub(super) const GREEN: RGBColor = RGBColor(0x0b, 0x7a, 0x6b);
pub(super) const VIOLET: RGBColor = RGBColor(0x7b, 0x3f, 0xc4);
pub(super) const RED: RGBColor = RGBColor(0xc8, 0x1e, 0x4e);
pub(super) const YELLOW: RGBColor = RGBColor(0x8a, 0x6d, 0x00);
pub(super) const GREY: RGBColor = MUTED;

/// What is drawn as one line, or as several where there are gaps.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) colour: RGBColor,
    pub(super) look: Look,
    pub(super) lines: Vec<Vec<(f64, f64)>>,
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Thin,
    Thick,
    /// With the area below it.
    Filled,
}

/// A picture of the series, with a legend above. The first is drawn last, on top of the others.
pub(super) fn draw(horizontal: Axis, vertical: Axis, series: &[Series]) -> Result<String, Fault> {
    let mut svg = String::new();
    let floor = vertical.range.start;
    {
        let root = SVGBackend::with_string(&mut svg, (SIZE.0 * SCALE, SIZE.1 * SCALE)).into_drawing_area();
        legend(&root, vertical.name, series)?;
        let label = ("sans-serif", scaled(TEXT) as f64 * 1.24).into_font().color(&MUTED);
        let mut chart = ChartBuilder::on(&root)
            .margin_top(scaled(38))
            .margin_right(scaled(28))
            .margin_left(scaled(4))
            .set_label_area_size(LabelAreaPosition::Left, scaled(64))
            .set_label_area_size(LabelAreaPosition::Bottom, scaled(30))
            .build_cartesian_2d(horizontal, vertical)?;
        chart
            .configure_mesh()
            .bold_line_style(GRID.stroke_width(SCALE))
            .light_line_style(TRANSPARENT)
            .axis_style(FRAME.stroke_width(SCALE))
            .set_all_tick_mark_size(scaled(5))
            .label_style(label)
            .draw()?;
        for one in series.iter().rev() {
            let width = if one.look == Look::Thin { 6 } else { 9 };
            for line in &one.lines {
                let points = line.iter().copied();
                match line.as_slice() {
                    [point] => drop(chart.draw_series([Circle::new(*point, scaled(3), one.colour.filled())])?),
                    _ if one.look == Look::Filled => {
                        let area = AreaSeries::new(points.clone(), floor, one.colour.mix(0.14));
                        chart.draw_series(area)?;
                        chart.draw_series(LineSeries::new(points, one.colour.stroke_width(width)))?;
                    }
                    _ => drop(chart.draw_series(LineSeries::new(points, one.colour.stroke_width(width)))?),
                }
            }
        }
        root.present()?;
    }
    Ok(svg)
}

/// What the vertical axis measures, and the name of each series behind a dash of its colour.
fn legend(
    root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    name: &str,
    series: &[Series],
) -> Result<(), Fault> {
    let middle = scaled(16) as i32;
    let style = |colour: &RGBColor| {
        let font = ("sans-serif", scaled(TEXT) as f64 * 1.24).into_font();
        font.color(colour).pos(Pos::new(HPos::Left, VPos::Center))
    };
    let width = |text: &str| (text.chars().count() as f64 * GLYPH) as u32;
    root.draw(&Text::new(name.to_owned(), (scaled(4) as i32, middle), style(&MUTED)))?;
    let mut left = 4 + width(name) + 24;
    for one in series {
        let dash = [(scaled(left) as i32, middle), (scaled(left + 16) as i32, middle)];
        root.draw(&PathElement::new(dash, one.colour.stroke_width(12)))?;
        root.draw(&Text::new(one.name.clone(), (scaled(left + 22) as i32, middle), style(&STRONG)))?;
        left += 22 + width(&one.name) + 18;
    }
    Ok(())
}

fn scaled(pixels: u32) -> u32 {
    pixels * SCALE
}
