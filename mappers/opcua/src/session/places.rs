//! Where points stand in the list of those that are watched: pure.

use crate::point::Point;

/// The places of points, in the order of the points. It holds no points: ten thousand of them are some megabytes.
#[derive(Debug)]
pub(super) struct Places(Vec<u32>);

impl Places {
    /// Of points that are all different.
    pub(super) fn new(points: &[Point]) -> Self {
        let mut places: Vec<u32> = (0..).take(points.len()).collect();
        let at = |place: &u32| usize::try_from(*place).ok().and_then(|place| points.get(place));
        places.sort_unstable_by(|a, b| at(a).cmp(&at(b)));
        Self(places)
    }

    /// The place of a point; none where it is not watched.
    pub(super) fn find(&self, points: &[Point], point: &Point) -> Option<usize> {
        let at = |place: u32| usize::try_from(place).ok().and_then(|place| points.get(place));
        let found = self.0.binary_search_by(|place| at(*place).cmp(&Some(point))).ok()?;
        usize::try_from(self.0[found]).ok()
    }

    /// The same, and at once where the point stands at `likely`: points are mostly asked for in the order in which they are watched.
    pub(super) fn find_from(&self, points: &[Point], point: &Point, likely: usize) -> Option<usize> {
        if points.get(likely) == Some(point) { Some(likely) } else { self.find(points, point) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_point_is_found_where_it_stands(names in proptest::collection::btree_set("[a-c]{1,4}", 0..40), likely in 0..40_usize) {
            let mut points: Vec<Point> = names.iter().map(|name| Point::node(name)).collect();
            points.reverse();
            let absent = points.pop();
            let places = Places::new(&points);
            for (place, point) in points.iter().enumerate() {
                prop_assert_eq!(places.find(&points, point), Some(place));
                prop_assert_eq!(places.find_from(&points, point, likely), Some(place));
            }
            for point in absent.iter() {
                prop_assert_eq!(places.find_from(&points, point, likely), None);
            }
        }
    }
}
