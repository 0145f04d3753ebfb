//! What `install`, `upgrade` and `uninstall` share: the embedded manifests and how they reach a cluster.
