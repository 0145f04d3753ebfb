use super::*;
use crate::{ObjectKey, read};

fn input(metadata: &[(&str, &str)]) -> TriggerInput {
    TriggerInput {
        type_: "kubernetes-workload".to_owned(),
        metadata: metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        object: ObjectKey {
            namespace: "shop.eu".to_owned(),
            name: "so".to_owned(),
        },
        ..TriggerInput::default()
    }
}

fn workload(input: &TriggerInput) -> Workload {
    let mut reader = Reader::new(input);
    let mut workload = <Workload as crate::TriggerMetadata>::read(&mut reader).expect("right settings");
    workload.bind(input);
    workload
}

#[test]
fn the_namespace_of_the_object_is_asked() {
    let input = input(&[
        ("podSelector", "app=shop"),
        ("value", "2.5"),
        ("groupByNode", "true"),
    ]);
    let workload = workload(&input);
    let query = PodQuery {
        namespace: "shop.eu".to_owned(),
        selector: "app=shop".to_owned(),
        by_node: true,
    };
    assert_eq!(workload.question("").expect("a question"), query);
    let metrics = workload.metrics().expect("a metric");
    assert_eq!(metrics[0].name, "workload-shop-eu");
    assert_eq!(metrics[0].target, Target::Fraction(2.5));
    assert_eq!(workload.read_answer(&4).expect("a value"), [Reading::from(4.0)]);
}

#[test]
fn mistakes_are_named() {
    let said = |metadata: &[(&str, &str)]| -> Vec<String> {
        let findings = read(&input(metadata)).expect_err("a mistake");
        findings.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        said(&[("podSelector", "app=shop,"), ("value", "-1")]),
        [
            "spec.triggers[0].metadata.podSelector: `podSelector` is no label selector: `` where the key of a label is due",
            "spec.triggers[0].metadata.value: `value` must be above 0",
        ]
    );
    assert_eq!(
        said(&[("podSelector", "app"), ("value", "0")]),
        ["spec.triggers[0].metadata.value: `value` must not be 0"]
    );
    let mut formula = input(&[("podSelector", "app")]);
    formula.as_metric_source = true;
    read(&formula).expect("a trigger that feeds a formula needs no target");
}
