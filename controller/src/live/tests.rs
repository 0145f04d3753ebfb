use kube::ResourceExt as _;

use super::*;

fn watched(version: &str) -> Arc<ScaledObject> {
    Arc::new(object(version))
}

fn object(version: &str) -> ScaledObject {
    let mut object = ScaledObject::new("so", crds::ScaledObjectSpec::default());
    object.metadata.resource_version = Some(version.to_owned());
    object.metadata.uid = Some("u".to_owned());
    object
}

#[test]
fn our_own_write_counts_until_the_watch_is_newer() {
    let live = Live::new(ObjectKey::new("ns", "so"), Ledgers::new("pod"));
    live.wrote(object("10"));
    assert_eq!(
        live.newest(&watched("9")).resource_version().as_deref(),
        Some("10")
    );
    let newer = watched("11");
    assert!(Arc::ptr_eq(&live.newest(&newer), &newer));
    assert_eq!(
        live.newest(&watched("9")).resource_version().as_deref(),
        Some("11")
    );
}

#[test]
fn a_ledger_that_others_began_says_so_once() {
    let ledger = |hpa_name: Option<&str>| {
        let live = Live::new(ObjectKey::new("ns", "so"), Ledgers::new("pod"));
        let mut seen = object("9");
        seen.status.get_or_insert_default().hpa_name = hpa_name.map(str::to_owned);
        live.newest(&Arc::new(seen));
        live.newest(&watched("10"));
        live.memory(true).records
    };
    assert!(ledger(None).is_empty());
    let [record] = &ledger(Some("keda-hpa-so"))[..] else {
        panic!("one record");
    };
    assert!(matches!(&record.what, What::Note { text } if text.starts_with("pod took over")));
}

#[test]
fn an_object_made_anew_is_not_the_one_we_wrote() {
    let live = Live::new(ObjectKey::new("ns", "so"), Ledgers::new("pod"));
    live.wrote(object("10"));
    let mut other = object("9");
    other.metadata.uid = Some("v".to_owned());
    assert_eq!(
        live.newest(&Arc::new(other)).resource_version().as_deref(),
        Some("9")
    );
}
