//! One page of documentation for every scaler type, generated from the catalog.

/// The pages as `(file name, text)`.
pub fn docs() -> Vec<(String, String)> {
    Vec::new()
}
