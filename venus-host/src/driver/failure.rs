//! Calls that fail, with words where the host itself says no.

use std::borrow::Cow;

use ash::vk;

use crate::error::hint;

/// Why the guest is told that a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the guest is told.
    pub(crate) result: vk::Result,
    /// Why this host refused without asking the driver; `None` if it is the driver's answer.
    pub(crate) refusal: Option<Refusal>,
}

/// This host's own reason to let no driver see something.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The member to blame.
    pub(crate) member: &'static str,
    /// What is wrong with it, with the values.
    pub(crate) reason: Cow<'static, str>,
    /// What a person can do about it.
    pub(crate) advice: &'static str,
}

impl Failure {
    /// A refusal of this host's own.
    #[cold]
    pub(crate) fn refused(
        result: vk::Result,
        member: &'static str,
        reason: impl Into<Cow<'static, str>>,
        advice: &'static str,
    ) -> Self {
        Self { result, refusal: Some(Refusal { member, reason: reason.into(), advice }) }
    }

    /// What a person can do about it; empty if nothing is known.
    #[cold]
    pub(crate) fn advice(&self) -> &'static str {
        self.refusal.as_ref().map_or_else(|| hint(self.result), |refusal| refusal.advice)
    }
}

impl From<vk::Result> for Failure {
    fn from(result: vk::Result) -> Self {
        Self { result, refusal: None }
    }
}
