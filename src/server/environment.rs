//! The process's environment variables, as the configuration reads them.

/// Those whose name and value are text; no setting is anything else.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
