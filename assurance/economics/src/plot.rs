//! Line charts as SVG: no background, and colours that stand out on white and on black alike.

use std::fmt::Display;

use plotters::prelude::*;

/// Text, axes and ticks.
const INK: RGBColor = RGBColor(128, 128, 128);
const COLOURS: [RGBColor; 6] = [
    RGBColor(34, 139, 230),
    RGBColor(240, 140, 0),
    RGBColor(47, 158, 68),
    RGBColor(224, 49, 49),
    RGBColor(156, 95, 212),
    RGBColor(12, 166, 168),
];
const SIZE: (u32, u32) = (820, 400);
/// More points than this in a line are thinned out.
const POINTS_MAX: usize = 260;

/// One axis.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: &'static str,
    /// Whether powers of ten stand at equal distances.
    pub log: bool,
    /// The least and the greatest value shown.
    pub range: (f64, f64),
}

/// Which upper corner the legend stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Legend {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is, for the legend; none where empty.
    pub label: String,
    /// Which colour, from 0.
    pub colour: usize,
    /// Whether it is dashed.
    pub dashed: bool,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// A full line.
    #[must_use]
    pub fn new(label: impl Display, colour: usize, points: Vec<(f64, f64)>) -> Self {
        Self { label: label.to_string(), colour, dashed: false, points }
    }

    /// The same, dashed.
    #[must_use]
    pub fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.range.0, self.range.1);
        if self.log { value.log10() } else { value }
    }

    fn bounds(&self) -> std::ops::Range<f64> {
        self.place(self.range.0)..self.place(self.range.1)
    }

    fn ticks(&self) -> usize {
        if self.log { (self.range.1 / self.range.0).log10().round() as usize + 1 } else { 9 }
    }

    fn tick(&self, at: f64) -> String {
        if !self.log {
            return crate::stats::number(at);
        }
        let power = at.round();
        if (power - at).abs() > 1e-9 {
            return String::new();
        }
        match power as i32 {
            power @ -3..=5 => crate::stats::number(10f64.powi(power)),
            power => format!("1e{power}"),
        }
    }
}

/// The chart as SVG text.
///
/// # Panics
///
/// Where the drawing library refuses, which it does not into memory.
#[must_use]
pub fn chart(title: &str, x: Axis, y: Axis, legend: Legend, lines: &[Line]) -> String {
    let mut svg = String::new();
    draw(&mut svg, title, (x, y), legend, lines).expect("drawing into a string does not fail");
    svg
}

fn draw(
    svg: &mut String,
    title: &str,
    (x, y): (Axis, Axis),
    legend: Legend,
    lines: &[Line],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let text = |size: u32| ("sans-serif", size).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&root)
        .caption(title, text(17))
        .margin(8)
        .margin_right(20)
        .x_label_area_size(42)
        .y_label_area_size(74)
        .build_cartesian_2d(x.bounds(), y.bounds())?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .label_style(text(13))
        .axis_desc_style(text(14))
        .bold_line_style(INK.mix(0.25))
        .light_line_style(TRANSPARENT)
        .x_desc(x.label)
        .y_desc(y.label)
        .x_labels(x.ticks())
        .y_labels(y.ticks())
        .x_label_formatter(&|at| x.tick(*at))
        .y_label_formatter(&|at| y.tick(*at))
        .draw()?;
    for line in lines {
        let style = COLOURS[line.colour % COLOURS.len()].stroke_width(2);
        let points: Vec<(f64, f64)> = thinned(&line.points).map(|(a, b)| (x.place(a), y.place(b))).collect();
        let key = move |(a, b)| PathElement::new(vec![(a, b), (a + 18, b)], style);
        let drawn = if line.dashed {
            chart.draw_series(DashedLineSeries::new(points, 5, 4, style))?
        } else {
            chart.draw_series(LineSeries::new(points, style))?
        };
        if !line.label.is_empty() {
            drawn.label(line.label.clone()).legend(key);
        }
    }
    let corner = match legend {
        Legend::Left => SeriesLabelPosition::UpperLeft,
        Legend::Right => SeriesLabelPosition::UpperRight,
    };
    if lines.iter().any(|line| !line.label.is_empty()) {
        chart
            .configure_series_labels()
            .position(corner)
            .label_font(text(13))
            .background_style(TRANSPARENT)
            .border_style(TRANSPARENT)
            .draw()?;
    }
    root.present()?;
    Ok(())
}

fn thinned(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    points.iter().enumerate().filter(move |(at, _)| at % every == 0 || *at == last).map(|(_, point)| *point)
}

/// The points of a line that stays level until it jumps.
#[must_use]
pub fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(points.len() * 2);
    for &(x, y) in points {
        if let Some(&(_, before)) = out.last()
            && before != y
        {
            out.push((x, before));
        }
        out.push((x, y));
    }
    out
}
