//! TEMP
pub(super) fn explain(_: &[String], _: crate::report::Page) -> super::Status {
    super::Status::Clean
}
