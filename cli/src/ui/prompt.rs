//! Questions, on a terminal only.
