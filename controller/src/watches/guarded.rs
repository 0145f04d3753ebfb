//! A ScaledObject that may be unreadable: one bad object must not end the watch of all others.

use std::borrow::Cow;
use std::sync::Arc;

use crds::ScaledObject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::PartialObjectMeta;
use kube::core::error_boundary::InvalidObject;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::trim::{Trim, trim_metadata, whole};

/// The object, or why it cannot be read. Shared, as all who work on it have the same.
///
/// It does what kube's `DeserializeGuard` does, which copies the whole tree of every object before it reads it.
#[derive(Clone, Debug)]
pub(crate) struct Guarded(pub(crate) Result<Arc<ScaledObject>, InvalidObject>);

impl<'de> Deserialize<'de> for Guarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Value::deserialize(deserializer)?;
        match ScaledObject::deserialize(&tree) {
            Ok(object) => Ok(Self(Ok(Arc::new(object)))),
            Err(error) => {
                let known =
                    PartialObjectMeta::<ScaledObject>::deserialize(&tree).map_err(D::Error::custom)?;
                Ok(Self(Err(InvalidObject {
                    error: error.to_string(),
                    metadata: known.metadata,
                })))
            }
        }
    }
}

impl Trim for Guarded {
    whole!();

    fn trim(&mut self) {
        match &mut self.0 {
            Ok(object) => Arc::make_mut(object).trim(),
            Err(invalid) => trim_metadata(&mut invalid.metadata),
        }
    }
}

impl Resource for Guarded {
    type DynamicType = <ScaledObject as Resource>::DynamicType;
    type Scope = <ScaledObject as Resource>::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        ScaledObject::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        ScaledObject::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        ScaledObject::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        ScaledObject::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.0 {
            Ok(object) => &object.metadata,
            Err(invalid) => &invalid.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.0 {
            Ok(object) => &mut Arc::make_mut(object).metadata,
            Err(invalid) => &mut invalid.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::api::{ObjectList, WatchEvent};

    use super::*;

    const BAD: &str = r#"{"metadata":{"name":"bad","namespace":"ns"},"spec":{"scaleTargetRef":{"name":"web"},
        "pollingInterval":"soon","triggers":[]}}"#;
    const GOOD: &str = r#"{"metadata":{"name":"good","namespace":"ns"},"spec":{"scaleTargetRef":{"name":"web"},
        "triggers":[]}}"#;

    #[test]
    fn a_bad_object_is_named_and_the_good_one_beside_it_is_read() {
        let list = format!(
            r#"{{"kind":"ScaledObjectList","apiVersion":"keda.sh/v1alpha1","metadata":{{}},"items":[{BAD},{GOOD}]}}"#
        );
        let list: ObjectList<Guarded> = serde_json::from_str(&list).unwrap();
        let [bad, good] = &list.items[..] else {
            panic!("two objects");
        };
        assert_eq!(bad.meta().name.as_deref(), Some("bad"));
        let invalid = bad.0.as_ref().unwrap_err();
        assert_eq!(invalid.error, r#"invalid type: string "soon", expected i32"#);
        assert_eq!(good.0.as_ref().unwrap().metadata.name.as_deref(), Some("good"));
    }

    #[test]
    fn a_change_is_read_as_well() {
        let event = format!(r#"{{"type":"MODIFIED","object":{GOOD}}}"#);
        let WatchEvent::<Guarded>::Modified(good) = serde_json::from_str(&event).unwrap() else {
            panic!("it was modified");
        };
        assert_eq!(good.meta().name.as_deref(), Some("good"));
    }
}
