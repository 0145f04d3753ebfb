//! A user as Kubernetes sees one.

use std::collections::BTreeMap;

/// Group of everybody who showed who they are.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
/// Group that may do everything; it is not asked about.
pub(crate) const MASTERS: &str = "system:masters";

/// A user, as it goes into a `SubjectAccessReview`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identity {
    /// User name.
    pub(crate) name: String,
    /// Unique id, empty when unknown.
    pub(crate) uid: String,
    /// Groups.
    pub(crate) groups: Vec<String>,
    /// What authenticators add.
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// A request without any credentials.
    pub(crate) fn anonymous() -> Self {
        Self {
            name: "system:anonymous".into(),
            groups: vec!["system:unauthenticated".into()],
            ..Self::default()
        }
    }

    /// Adds the group of authenticated users, once. Upstream: `group.AuthenticatedGroupAdder`.
    pub(crate) fn authenticated(mut self) -> Self {
        let has = |groups: &[String], group: &str| groups.iter().any(|known| known == group);
        if self.name != "system:anonymous"
            && !has(&self.groups, AUTHENTICATED)
            && !has(&self.groups, "system:unauthenticated")
        {
            self.groups.push(AUTHENTICATED.into());
        }
        self
    }

    /// Whether the user is above authorization.
    pub(crate) fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }
}
