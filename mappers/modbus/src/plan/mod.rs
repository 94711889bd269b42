//! From many points the fewest requests.

mod lessons;

use std::cmp::Reverse;
use std::collections::BTreeSet;

pub use lessons::{Lessons, Splitter};

use mapper_sdk::Fault;

use crate::link::Link;
use crate::point::{Area, Layout};

/// What one request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    max_block: u16,
    max_gap: u16,
}

impl Limits {
    /// The most registers that the protocol allows in one read. (MODBUS Application Protocol V1.1b3, 6.3)
    pub const MOST_REGISTERS: u16 = 125;
    /// How many bits stand for one register where a limit is written in registers: 2,000 bits for 125 registers.
    const BITS: u32 = 16;

    /// At most `max_block` registers (1 to 125), with at most `max_gap` unused ones between two points; of bits 16
    /// times as many.
    #[must_use]
    pub fn new(max_block: u16, max_gap: u16) -> Self {
        Self { max_block: max_block.clamp(1, Self::MOST_REGISTERS), max_gap }
    }

    fn block(self, area: Area) -> u32 {
        u32::from(self.max_block) * if area.is_bits() { Self::BITS } else { 1 }
    }

    fn gap(self, area: Area) -> u32 {
        u32::from(self.max_gap) * if area.is_bits() { Self::BITS } else { 1 }
    }
}

/// What the requests to one device must keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What one request may hold.
    pub limits: Limits,
    /// What must not be read, not even along with something else.
    pub forbidden: Vec<Span>,
}

impl Rules {
    /// The rules of a device.
    #[must_use]
    pub fn of(link: &Link) -> Self {
        Self { limits: link.limits(), forbidden: link.forbidden() }
    }

    /// Whether a point may be read.
    ///
    /// # Errors
    /// [`Fault::Refused`] when a part of it is forbidden.
    pub fn check(&self, layout: &Layout) -> Result<(), Fault> {
        match self.forbidden_in(Span::of(layout)) {
            None => Ok(()),
            Some(span) => Err(Fault::Refused(format!(
                "`forbid` of the device keeps the {}s {} to {} from being read",
                span.area,
                span.start,
                span.end - 1
            ))),
        }
    }

    fn forbidden_in(&self, span: Span) -> Option<&Span> {
        self.forbidden.iter().find(|f| f.area == span.area && f.start < span.end && span.start < f.end)
    }
}

impl From<Limits> for Rules {
    fn from(limits: Limits) -> Self {
        Self { limits, forbidden: Vec::new() }
    }
}

/// A stretch of registers or bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Where.
    pub area: Area,
    /// The first, counted from 0.
    pub start: u32,
    /// The one after the last, at most 65536.
    pub end: u32,
}

impl Span {
    /// The stretch that a point takes.
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        let start = u32::from(layout.start);
        Self { area: layout.area, start, end: start + u32::from(layout.len) }
    }

    /// How many.
    #[must_use]
    pub fn len(self) -> u32 {
        self.end - self.start
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

/// One request that reads several points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub span: Span,
    /// The points in it: their spans, in ascending order, and their numbers in the order in which they were given.
    pub members: Vec<(Span, usize)>,
}

/// The fewest requests that read all of `spans`, none of which is forbidden, in ascending order. No request reaches over
/// one of the `cuts`: places in front of which one must begin.
#[must_use]
pub fn requests(
    spans: impl IntoIterator<Item = (Span, usize)>,
    rules: &Rules,
    cuts: &BTreeSet<(Area, u32)>,
) -> Vec<Request> {
    let mut sorted: Vec<(Span, usize)> = spans.into_iter().collect();
    // Of points that begin together the longest comes first: the others are read along with it.
    sorted.sort_unstable_by_key(|(span, number)| (span.area, span.start, Reverse(span.end), *number));
    let mut requests: Vec<Request> = Vec::new();
    for (span, number) in sorted {
        match requests.last_mut() {
            Some(request) if joins(request.span, span, rules, cuts) => {
                request.span.end = request.span.end.max(span.end);
                request.members.push((span, number));
            }
            Some(_) | None => requests.push(Request { span, members: vec![(span, number)] }),
        }
    }
    requests
}

/// Whether `next`, which does not begin before `block`, may be read along with it.
fn joins(block: Span, next: Span, rules: &Rules, cuts: &BTreeSet<(Area, u32)>) -> bool {
    let limits = rules.limits;
    if block.area != next.area {
        return false;
    }
    if next.end <= block.end {
        return true;
    }
    let gap = next.start.saturating_sub(block.end);
    let crosses_a_cut = cuts.range((block.area, block.start + 1)..(block.area, next.end)).next().is_some();
    gap <= limits.gap(block.area)
        && next.end - block.start <= limits.block(block.area)
        && !crosses_a_cut
        && rules.forbidden_in(Span { end: next.end, ..block }).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(start: u32, len: u32) -> Span {
        Span { area: Area::Holding, start, end: start + len }
    }

    fn plan(spans: &[Span], limits: Limits, cuts: &BTreeSet<(Area, u32)>) -> Vec<Span> {
        let numbered = spans.iter().copied().enumerate().map(|(number, span)| (span, number));
        requests(numbered, &limits.into(), cuts).into_iter().map(|request| request.span).collect()
    }

    #[test]
    fn points_side_by_side_are_one_request_of_at_most_125_registers() {
        let spans: Vec<Span> = (0..300).map(|n| span(n, 1)).collect();
        let lens: Vec<u32> =
            plan(&spans, Limits::new(125, 8), &BTreeSet::new()).into_iter().map(Span::len).collect();
        assert_eq!(lens, [125, 125, 50]);
    }

    #[test]
    fn coils_are_read_2000_at_a_time() {
        let spans = (0..4000).map(|n| (Span { area: Area::Coil, start: n, end: n + 1 }, 0));
        let lens: Vec<u32> = requests(spans, &Limits::new(125, 8).into(), &BTreeSet::new())
            .iter()
            .map(|r| r.span.len())
            .collect();
        assert_eq!(lens, [2000, 2000]);
    }

    #[test]
    fn a_gap_that_is_too_wide_begins_a_new_request_and_areas_never_mix() {
        let input = Span { area: Area::Input, start: 2, end: 3 };
        let spans = [span(0, 1), span(9, 1), span(19, 1), input];
        let plan = plan(&spans, Limits::new(125, 8), &BTreeSet::new());
        assert_eq!(plan, [input, span(0, 10), span(19, 1)]);
    }

    #[test]
    fn no_request_reads_along_what_is_forbidden() {
        let forbidden = vec![Span { area: Area::Holding, start: 3, end: 4 }];
        let rules = Rules { forbidden, ..Limits::new(125, 8).into() };
        let spans = [span(0, 1), span(2, 1), span(4, 1), span(6, 1)].into_iter().enumerate();
        let plan = requests(spans.map(|(n, s)| (s, n)), &rules, &BTreeSet::new());
        assert_eq!(plan.iter().map(|r| r.span).collect::<Vec<_>>(), [span(0, 3), span(4, 3)]);
    }

    #[test]
    fn no_request_reaches_over_a_cut_save_a_point_that_is_one_itself() {
        let cuts = BTreeSet::from([(Area::Holding, 5)]);
        let spans = [span(0, 2), span(4, 2), span(6, 2)];
        assert_eq!(plan(&spans, Limits::new(125, 8), &cuts), [span(0, 2), span(4, 2), span(6, 2)]);
    }

    fn allowed(members: &[Span], limits: Limits, cuts: &BTreeSet<(Area, u32)>) -> bool {
        let mut sorted = members.to_vec();
        sorted.sort_unstable();
        let start = sorted[0].start;
        let end = sorted.iter().map(|s| s.end).max().unwrap();
        let whole_is_a_member = sorted.contains(&span(start, end - start));
        let mut reach = sorted[0].end;
        for s in &sorted {
            if s.start.saturating_sub(reach) > limits.gap(Area::Holding) {
                return false;
            }
            reach = reach.max(s.end);
        }
        let cut = cuts.iter().any(|(_, cut)| start < *cut && *cut < end);
        whole_is_a_member || (end - start <= limits.block(Area::Holding) && !cut)
    }

    /// The fewest groups, found by trying all ways to put the points into groups.
    fn fewest(
        rest: &[Span],
        groups: &mut Vec<Vec<Span>>,
        limits: Limits,
        cuts: &BTreeSet<(Area, u32)>,
    ) -> usize {
        let Some((first, rest)) = rest.split_first() else {
            let ok = groups.iter().all(|group| allowed(group, limits, cuts));
            return if ok { groups.len() } else { usize::MAX };
        };
        let mut best = usize::MAX;
        for n in 0..groups.len() {
            groups[n].push(*first);
            best = best.min(fewest(rest, groups, limits, cuts));
            groups[n].pop();
        }
        groups.push(vec![*first]);
        best = best.min(fewest(rest, groups, limits, cuts));
        groups.pop();
        best
    }

    proptest! {
        #[test]
        fn no_plan_has_fewer_requests(
            points in proptest::collection::vec((0u32..30, 1u32..5), 1..7),
            max_block in 4u16..12,
            max_gap in 0u16..4,
            cuts in proptest::collection::btree_set(1u32..30, 0..3),
        ) {
            let spans: Vec<Span> = points.into_iter().map(|(start, len)| span(start, len)).collect();
            let limits = Limits::new(max_block, max_gap);
            let cuts = cuts.into_iter().map(|cut| (Area::Holding, cut)).collect();
            let planned = plan(&spans, limits, &cuts).len();
            prop_assert_eq!(planned, fewest(&spans, &mut Vec::new(), limits, &cuts));
        }

        #[test]
        fn every_point_is_in_exactly_one_request_that_keeps_the_limits(
            points in proptest::collection::vec((0u32..2000, 1u32..5), 0..200),
            max_block in 4u16..=125,
            max_gap in 0u16..20,
        ) {
            let limits = Limits::new(max_block, max_gap);
            let spans = points.iter().enumerate().map(|(n, (start, len))| (span(*start, *len), n));
            let plan = requests(spans, &limits.into(), &BTreeSet::new());
            let mut seen: Vec<usize> = plan.iter().flat_map(|r| r.members.iter().map(|m| m.1)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..points.len()).collect::<Vec<_>>());
            for request in &plan {
                prop_assert!(request.span.len() <= u32::from(max_block));
                for (member, _) in &request.members {
                    prop_assert!(request.span.start <= member.start && member.end <= request.span.end);
                }
            }
        }
    }
}
