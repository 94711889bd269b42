//! What a device will be asked, before anybody asks it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use config::CheckFault;

use crate::link::{Link, Way};
use crate::plan::{self, Request, Rules, Span};
use crate::point::Point;

/// Function, place and count: what a request for a read says.
const REQUEST_BODY: usize = 5;
/// Function and length: what stands before the data of its answer.
const BEFORE_THE_DATA: usize = 2;

/// In words: how a device is reached, and for each period the requests that read its points.
///
/// # Errors
/// The first rule that the link or a point breaks.
pub fn overview(link: &Link, points: &[(Duration, &Point)]) -> Result<String, CheckFault> {
    let (way, rules) = (link.way()?, Rules::of(link));
    let mut periods: BTreeMap<Duration, Vec<&Point>> = BTreeMap::new();
    for (every, point) in points {
        periods.entry(*every).or_default().push(point);
    }
    let mut text = format!("{way}, unit {}\n", link.unit());
    for (every, points) in periods {
        let mut spans = Vec::with_capacity(points.len());
        let mut forbidden = Vec::new();
        for (number, point) in points.iter().enumerate() {
            let layout = point.layout()?;
            match rules.check(&layout) {
                Ok(()) => spans.push((Span::of(&layout), number)),
                Err(_) => forbidden.push(Span::of(&layout)),
            }
        }
        let requests = plan::requests(spans, &rules, &BTreeSet::new());
        let points = plural(points.len(), "point");
        let _ = write!(text, "  every {}: {points} -> {}", words(every), plural(requests.len(), "request"));
        if let Some(time) = cycle(&way, link, &requests) {
            let _ = write!(text, ", {} a cycle and what the device needs itself", words(time));
        }
        text.push('\n');
        for request in &requests {
            let points = plural(request.members.len(), "point");
            let _ = writeln!(text, "    {}, {points}", place(request.span));
        }
        for span in forbidden {
            let _ = writeln!(text, "    {}: never read, `forbid` of the device keeps it", place(span));
        }
    }
    Ok(text)
}

/// How long the requests keep a line busy; none where nobody can know.
fn cycle(way: &Way, link: &Link, requests: &[Request]) -> Option<Duration> {
    let Way::Serial(framing, _) = way else { return None };
    let data = |span: Span| {
        let len = span.len() as usize;
        if span.area.is_bits() { len.div_ceil(8) } else { 2 * len }
    };
    let each = |request: &Request| {
        let answer = framing.characters(BEFORE_THE_DATA + data(request.span));
        way.line_time(framing.characters(REQUEST_BODY) + answer)
            + way.silence()
            + link.pause().max(way.silence())
    };
    Some(requests.iter().map(each).sum())
}

/// `holding register 4 to 9`.
fn place(span: Span) -> String {
    let last = span.end - 1;
    if span.len() == 1 {
        format!("{} {}", span.area, span.start)
    } else {
        format!("{} {} to {last}", span.area, span.start)
    }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn words(time: Duration) -> String {
    let ms = time.as_millis();
    if ms >= 1_000 && ms.is_multiple_of(1_000) { format!("{} s", ms / 1_000) } else { format!("{ms} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::DataType;

    fn holding(n: u16) -> Point {
        Point { holding: Some(n), ..Point::default() }
    }

    fn shown(link: &Link, points: &[(u64, Point)]) -> String {
        let points: Vec<_> = points.iter().map(|(ms, point)| (Duration::from_millis(*ms), point)).collect();
        overview(link, &points).unwrap()
    }

    #[test]
    fn thirty_seven_points_on_a_serial_line_are_shown_as_their_requests_and_their_time() {
        let mut points: Vec<(u64, Point)> = (0..30).map(|n| (1_000, holding(n))).collect();
        points.extend((0..4).map(|n| (1_000, holding(200 + 20 * n))));
        points.push((1_000, Point { coil: Some(3), ..Point::default() }));
        points.extend((0..2).map(|n| {
            (60_000, Point { input: Some(2 * n), data_type: Some(DataType::Float32), ..Point::default() })
        }));
        insta::assert_snapshot!(shown(&Link::rtu("/dev/ttyUSB0", 19_200, 3), &points), @r"
        rtu /dev/ttyUSB0 19200 8N1, unit 3
          every 1 s: 35 points -> 6 requests, 98 ms a cycle and what the device needs itself
            coil 3, 1 point
            holding register 0 to 29, 30 points
            holding register 200, 1 point
            holding register 220, 1 point
            holding register 240, 1 point
            holding register 260, 1 point
          every 60 s: 2 points -> 1 request, 14 ms a cycle and what the device needs itself
            input register 0 to 3, 2 points
        ");
    }

    #[test]
    fn nobody_knows_how_long_tcp_takes() {
        insta::assert_snapshot!(shown(&Link::tcp("10.0.0.7:502", 1), &[(250, holding(7))]), @r"
        tcp 10.0.0.7:502, unit 1
          every 250 ms: 1 point -> 1 request
            holding register 7, 1 point
        ");
    }
}
