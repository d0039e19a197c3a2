//! How sure a statement is.

/// How sure a finding, a verdict or a match is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Confidence {
    /// One weak sign.
    Possible,
    /// One strong sign or two independent ones.
    Likely,
    /// The bytes prove it.
    Certain,
}

impl Confidence {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}
