//! What a scaler type can be told: its settings as data, and how they are read from a trigger.
//!
//! ```text
//! TriggerInput ──▶ Reader ──▶ a struct that derives TriggerMetadata
//!                    └──▶ every Diagnostic at once
//! ```
//!
//! Upstream: `pkg/scalers/scalersconfig/typed_config.go`.

mod reader;
mod value;

pub use reader::Reader;
pub(crate) use reader::unknown_keys;
pub use value::{Kind, UrlQuery, Value};
pub(crate) use value::{MOST_NUMBERS, fits, word};

/// A struct whose fields are the settings of a trigger; derived, never written by hand.
pub trait TriggerMetadata: Sized {
    /// Every setting in the order it is declared.
    const FIELDS: &'static [Field];

    /// Reads every field before it gives up, so that the reader holds all mistakes.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;
}

/// Where the value of a setting can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `triggers[].metadata`.
    Metadata,
    /// The container environment, through the key with `FromEnv` at its end.
    Env,
    /// The parameters of a `TriggerAuthentication`.
    Auth,
}

/// One setting of a scaler type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// The name it is documented under.
    pub key: &'static str,
    /// Further names that are read, after [`Field::key`].
    pub aliases: &'static [&'static str],
    /// Where it is looked up, in order.
    pub sources: &'static [Origin],
    /// What its text is parsed as.
    pub kind: Kind,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether its value is a credential.
    pub secret: bool,
    /// What is read when nothing is given.
    pub default: Option<&'static str>,
    /// Whether it is the target value, which a trigger that only feeds a formula may leave out.
    pub target: bool,
    /// Elements of a list that cannot occur together.
    pub exclusive: &'static [&'static str],
    /// What to use instead, where giving the setting is an error.
    pub removed: Option<&'static str>,
    /// What to use instead, where giving the setting is a warning.
    pub deprecated: Option<&'static str>,
    /// The documentation of the setting.
    pub doc: &'static str,
}

impl Field {
    const NONE: Self = Self {
        key: "",
        aliases: &[],
        sources: &[],
        kind: Kind::Text,
        optional: true,
        secret: false,
        default: None,
        target: false,
        exclusive: &[],
        removed: None,
        deprecated: None,
        doc: "",
    };

    /// Every name of the setting, the documented one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.key).chain(self.aliases.iter().copied())
    }

    /// Whether a trigger must give the setting, conditions between settings aside.
    pub fn required(&self) -> bool {
        !self.optional && self.default.is_none() && self.removed.is_none()
    }

    /// The keys of `metadata` that the setting is read from.
    pub fn metadata_keys(&self) -> impl Iterator<Item = String> + use<> {
        let Self { sources, .. } = *self;
        let plain = sources.contains(&Origin::Metadata).then_some("");
        let env = sources.contains(&Origin::Env).then_some("FromEnv");
        self.names().flat_map(move |name| {
            plain
                .into_iter()
                .chain(env)
                .map(move |end| format!("{name}{end}"))
        })
    }
}

/// Joins lists of fields at compile time; `N` is the sum of their lengths.
#[doc(hidden)]
pub const fn joined<const N: usize>(parts: &[&[Field]]) -> [Field; N] {
    let mut all = [Field::NONE; N];
    let (mut part, mut next) = (0, 0);
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() {
            all[next] = parts[part][at];
            at += 1;
            next += 1;
        }
        part += 1;
    }
    all
}
