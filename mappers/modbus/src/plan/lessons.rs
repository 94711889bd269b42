//! What a device teaches by refusing a block: the block is split until the bad point is found, and the rest is planned
//! around it.

use std::collections::BTreeSet;

use crate::plan::{Request, Span};
use crate::point::Area;

/// What is known of the holes in a device's tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lessons {
    /// Places in front of which a request must begin.
    pub cuts: BTreeSet<(Area, u32)>,
    /// Points that are refused even when asked for alone.
    pub refused: BTreeSet<Span>,
}

/// How a request, with all that it was split into, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    /// It could be read in one.
    Whole,
    /// All of it could be read, in pieces.
    InPieces,
    /// Some of it cannot be read.
    WithRefusals,
}

/// Works through requests of which some may be refused. Take the [`next`](Self::poll_request), ask the device, tell how
/// it ended.
#[derive(Debug)]
pub struct Splitter {
    waiting: Vec<(Request, Option<usize>)>,
    asked: Option<(Request, Option<usize>)>,
    splits: Vec<Split>,
}

#[derive(Debug)]
struct Split {
    cut: (Area, u32),
    open: u8,
    how: Ended,
    /// There is no unused register in it, so that no hole but only a limit on the length can be found there.
    dense: bool,
    parent: Option<usize>,
}

impl Splitter {
    /// Begins with `plan`.
    #[must_use]
    pub fn new(plan: Vec<Request>) -> Self {
        let waiting = plan.into_iter().rev().map(|request| (request, None)).collect();
        Self { waiting, asked: None, splits: Vec::new() }
    }

    /// What to ask the device for; none when all is done.
    pub fn poll_request(&mut self) -> Option<&Request> {
        self.asked = self.waiting.pop();
        self.asked.as_ref().map(|(request, _)| request)
    }

    /// The device answered the last request, with values or with an error that has nothing to do with its extent.
    pub fn handle_answered(&mut self, lessons: &mut Lessons) {
        if let Some((_, parent)) = self.asked.take() {
            self.ended(parent, Ended::Whole, lessons);
        }
    }

    /// The device refused the last request for its extent. Gives the points that are hereby known to be refused: none
    /// as long as there is something to split.
    pub fn handle_refused(&mut self, lessons: &mut Lessons) -> Vec<usize> {
        let Some((request, parent)) = self.asked.take() else { return Vec::new() };
        let area = request.span.area;
        let mut starts = request.members.iter().map(|(span, _)| span);
        let first = starts.next();
        if starts.all(|span| Some(span) == first) {
            lessons.refused.insert(request.span);
            lessons.cuts.insert((area, request.span.start));
            self.ended(parent, Ended::WithRefusals, lessons);
            return request.members.into_iter().map(|(_, number)| number).collect();
        }
        let dense = is_dense(&request.members);
        let (left, right) = halves(request.members);
        let cut = (area, right.span.start);
        self.splits.push(Split { cut, open: 2, how: Ended::Whole, dense, parent });
        let split = Some(self.splits.len() - 1);
        self.waiting.push((right, split));
        self.waiting.push((left, split));
        Vec::new()
    }

    /// A part of a split has ended. When both halves could be read whole, it is the border between them that cannot be
    /// crossed: a hole, or a limit on the length. Such a limit is what stops all larger blocks without holes as well.
    fn ended(&mut self, mut parent: Option<usize>, mut how: Ended, lessons: &mut Lessons) {
        while let Some(number) = parent {
            let split = &mut self.splits[number];
            split.open -= 1;
            split.how = split.how.max(how);
            if split.open > 0 {
                return;
            }
            if split.how == Ended::Whole || (split.how == Ended::InPieces && split.dense) {
                lessons.cuts.insert(split.cut);
            }
            (how, parent) = (split.how.max(Ended::InPieces), split.parent);
        }
    }
}

/// Splits points that are not all the same into two, as evenly as can be.
fn halves(mut members: Vec<(Span, usize)>) -> (Request, Request) {
    let middle = members.len() / 2;
    // Points with the same extent stay together, or the split would never end.
    let same_as_middle = |n: &usize| members[*n].0 == members[middle].0;
    let from = (0..members.len()).find(same_as_middle).unwrap_or(middle);
    let to = (from..members.len()).find(|n| !same_as_middle(n)).unwrap_or(members.len());
    let right = members.split_off(if from > 0 { from } else { to });
    (whole(members), whole(right))
}

fn is_dense(members: &[(Span, usize)]) -> bool {
    let mut reach = members[0].0.start;
    members.iter().all(|(span, _)| {
        let joined = span.start <= reach;
        reach = reach.max(span.end);
        joined
    })
}

fn whole(members: Vec<(Span, usize)>) -> Request {
    let first = members[0].0;
    let end = members.iter().map(|(span, _)| span.end).max().unwrap_or(first.end);
    Request { span: Span { end, ..first }, members }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Limits, requests};
    use proptest::prelude::*;

    fn span(start: u32, len: u32) -> Span {
        Span { area: Area::Holding, start, end: start + len }
    }

    fn planned(spans: &[Span], lessons: &Lessons, limits: Limits) -> Vec<Request> {
        let known = |span: &Span| !lessons.refused.contains(span);
        let spans = spans.iter().copied().enumerate().filter(|(_, span)| known(span)).map(|(n, s)| (s, n));
        requests(spans, &limits.into(), &lessons.cuts)
    }

    /// Reads all points of a device with these holes and this longest block; gives the points read and the number of requests.
    fn cycle(
        spans: &[Span],
        holes: &BTreeSet<u32>,
        longest: u32,
        lessons: &mut Lessons,
    ) -> (BTreeSet<usize>, usize) {
        let mut splitter = Splitter::new(planned(spans, lessons, Limits::new(125, 8)));
        let (mut read, mut asked) = (BTreeSet::new(), 0);
        while let Some(request) = splitter.poll_request() {
            asked += 1;
            let span = request.span;
            if span.len() > longest || holes.range(span.start..span.end).next().is_some() {
                splitter.handle_refused(lessons);
            } else {
                read.extend(request.members.iter().map(|(_, number)| *number));
                splitter.handle_answered(lessons);
            }
        }
        (read, asked)
    }

    #[test]
    fn one_bad_point_among_64_is_found_and_the_next_cycle_goes_around_it() {
        let spans: Vec<Span> = (0..64).map(|n| span(n, 1)).collect();
        let mut lessons = Lessons::default();
        let (read, asked) = cycle(&spans, &BTreeSet::from([37]), 125, &mut lessons);
        assert_eq!(read.len(), 63);
        assert!(asked <= 13, "{asked}");
        assert_eq!(lessons.refused, BTreeSet::from([span(37, 1)]));
        let (read, asked) = cycle(&spans, &BTreeSet::from([37]), 125, &mut lessons);
        assert_eq!((read.len(), asked), (63, 2));
    }

    #[test]
    fn a_hole_between_two_points_refuses_neither() {
        let spans = [span(0, 2), span(4, 2)];
        let mut lessons = Lessons::default();
        let (read, _) = cycle(&spans, &BTreeSet::from([3]), 125, &mut lessons);
        assert_eq!(read.len(), 2);
        assert!(lessons.refused.is_empty());
        assert_eq!(cycle(&spans, &BTreeSet::from([3]), 125, &mut lessons).1, 2);
    }

    #[test]
    fn a_device_that_takes_only_16_registers_at_a_time_is_read_in_pieces() {
        let spans: Vec<Span> = (0..64).map(|n| span(n, 1)).collect();
        let mut lessons = Lessons::default();
        assert_eq!(cycle(&spans, &BTreeSet::new(), 16, &mut lessons).0.len(), 64);
        assert!(lessons.refused.is_empty());
        assert_eq!(cycle(&spans, &BTreeSet::new(), 16, &mut lessons), ((0..64).collect(), 4));
    }

    proptest! {
        #[test]
        fn all_that_can_be_read_is_read_in_the_first_cycle_and_the_lessons_come_to_an_end(
            points in proptest::collection::vec((0u32..60, 1u32..5), 1..20),
            holes in proptest::collection::btree_set(0u32..64, 0..5),
            longest in 5u32..40,
        ) {
            let spans: Vec<Span> = points.into_iter().map(|(start, len)| span(start, len)).collect();
            let readable: BTreeSet<usize> = (0..spans.len())
                .filter(|n| holes.range(spans[*n].start..spans[*n].end).next().is_none())
                .collect();
            let mut lessons = Lessons::default();
            for _ in 0..40 {
                let before = lessons.clone();
                let (read, _) = cycle(&spans, &holes, longest, &mut lessons);
                prop_assert_eq!(&read, &readable);
                if before == lessons {
                    return Ok(());
                }
            }
            prop_assert!(false, "still learning: {lessons:?}");
        }
    }
}
