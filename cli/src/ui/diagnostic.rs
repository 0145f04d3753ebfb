//! Diagnostics with the place in the file.
