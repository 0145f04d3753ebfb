//! Plans carried out in a model of a cluster: recorded cases, lifecycles and properties.

mod goldens;
mod lifecycle;
mod model;
mod properties;
