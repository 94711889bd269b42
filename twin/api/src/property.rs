//! One property of a twin, with everything that follows from its parts.

use serde::{Deserialize, Serialize};
use twin_core::{Desired, Override, PropertyDefinition, Reported, Revision, Timestamp, Wishes};
use utoipa::ToSchema;

use crate::definition::DefinitionView;
use crate::parts::{ConvergenceView, DesiredView, EffectiveView, OverrideView, ReportedView};

/// A property: what it is, what the device holds, what it should hold, and how far it has got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PropertyView {
    /// What the configuration says of it; left out when the device has no such property (any more).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionView>,
    /// What the device holds; left out when nothing was reported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<ReportedView>,
    /// What the cloud wants, expired or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<DesiredView>,
    /// What a local operator wants, expired or not.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_: Option<OverrideView>,
    /// What the device should hold now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<EffectiveView>,
    /// How far it has got.
    pub convergence: ConvergenceView,
}

/// A document as a store holds it.
#[derive(Debug)]
pub struct Stored<'a, T> {
    /// What it holds.
    pub body: &'a T,
    /// Its author's revision.
    pub revision: Revision,
    /// When the cloud stored it; none at the edge.
    pub cloud_time: Option<Timestamp>,
}

impl<T> Clone for Stored<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Stored<'_, T> {}

/// What a store holds of one property.
#[derive(Debug, Clone, Copy, Default)]
pub struct PropertyParts<'a> {
    /// What the configuration says of it.
    pub definition: Option<&'a PropertyDefinition>,
    /// What was reported.
    pub reported: Option<Stored<'a, Reported>>,
    /// What a local operator wants.
    pub override_: Option<Stored<'a, Override>>,
    /// What the cloud wants.
    pub desired: Option<Stored<'a, Desired>>,
}

impl PropertyParts<'_> {
    /// What they amount to at `now`.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> PropertyView {
        let wishes = Wishes {
            desired: self.desired.map(|d| (d.body, d.revision)),
            override_: self.override_.map(|o| (o.body, o.revision)),
        };
        let reported = self.reported.map(|r| r.body);
        let tolerance = self.definition.and_then(|d| d.tolerance);
        let readable = self.definition.is_none_or(|d| d.access.readable());
        let (effective, convergence) = wishes.standing(reported, tolerance, readable, now);
        PropertyView {
            definition: self.definition.map(DefinitionView::from),
            reported: self.reported.as_ref().map(ReportedView::from),
            desired: self.desired.as_ref().map(DesiredView::from),
            override_: self.override_.as_ref().map(OverrideView::from),
            effective: effective.as_ref().map(EffectiveView::from),
            convergence: (&convergence).into(),
        }
    }
}
