//! What the watch of a kind makes of events, answers and its own end.

use serde_json::json;

use super::*;

fn kinds() -> Replicas {
    let replicas = Replicas::new(1);
    for kind in &replicas.0 {
        kind.broken.store(0, Ordering::Release);
    }
    replicas
}

fn gvkr(group: &str, kind: &str, resource: &str) -> GroupVersionKindResource {
    GroupVersionKindResource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        resource: resource.to_owned(),
    }
}

fn deployment() -> GroupVersionKindResource {
    gvkr("apps", "Deployment", "deployments")
}

fn follow(kinds: &Replicas, name: &str) -> Arc<Followed> {
    kinds.follow(&deployment(), "shop", name).expect("a Deployment")
}

fn workload(name: &str, version: u64, replicas: i32) -> Workload {
    let object = json!({
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": version.to_string()},
        "spec": {"replicas": replicas},
    });
    serde_json::from_value(object).expect("a workload")
}

fn scale(version: u64, replicas: i32) -> Scale {
    let object = json!({
        "metadata": {"namespace": "shop", "name": "web", "resourceVersion": version.to_string()},
        "spec": {"replicas": replicas},
    });
    serde_json::from_value(object).expect("a scale")
}

/// Takes events of the Deployments in.
fn take(kinds: &Replicas, events: impl IntoIterator<Item = Event<Workload>>) {
    let mut list = BTreeSet::new();
    for event in events {
        kinds.0[0].take(event, &mut list, None);
    }
}

#[test]
fn what_is_decoded_of_a_workload_is_what_is_used() {
    let text = r#"{"type":"MODIFIED","object":{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web",
        "namespace":"shop","uid":"u","resourceVersion":"7","labels":{"a":"b"},"managedFields":[{"manager":"m","fieldsV1":
        {"f:spec":{}}}]},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"c"}]}}},"status":{"replicas":2}}}"#;
    let event: kube::api::WatchEvent<Workload> = serde_json::from_str(text).expect("an event");
    let kube::api::WatchEvent::Modified(workload) = event else {
        panic!("it was modified");
    };
    let expected = ObjectMeta {
        name: Some("web".to_owned()),
        namespace: Some("shop".to_owned()),
        resource_version: Some("7".to_owned()),
        ..ObjectMeta::default()
    };
    assert_eq!((workload.metadata, workload.spec.replicas), (expected, Some(3)));
    let plain: Workload = serde_json::from_str(r#"{"metadata":{},"spec":{}}"#).expect("a workload");
    assert_eq!(plain.spec.replicas(), 1);
}

#[test]
fn only_deployments_and_stateful_sets_are_followed() {
    let kinds = kinds();
    let follows = |gvkr: &GroupVersionKindResource| kinds.follow(gvkr, "shop", "web").is_some();
    assert!(follows(&deployment()));
    assert!(follows(&gvkr("apps", "StatefulSet", "statefulsets")));
    assert!(!follows(&gvkr("apps", "ReplicaSet", "replicasets")));
    assert!(!follows(&gvkr("example.com", "Deployment", "deployments")));
    assert!(!follows(&gvkr("argoproj.io", "Rollout", "rollouts")));
}

#[test]
fn what_somebody_else_scales_is_seen() {
    let kinds = kinds();
    let web = follow(&kinds, "web");
    assert_eq!(web.replicas(), None);
    web.saw(&scale(5, 0));
    assert_eq!(web.replicas(), Some(0));
    take(
        &kinds,
        [
            Event::Apply(workload("web", 6, 4)),
            Event::Apply(workload("api", 7, 9)),
        ],
    );
    assert_eq!(web.replicas(), Some(4));
}

#[test]
fn an_answer_that_comes_after_the_event_that_outdates_it_says_nothing() {
    let kinds = kinds();
    let web = follow(&kinds, "web");
    take(&kinds, [Event::Apply(workload("web", 6, 4))]);
    web.saw(&scale(5, 0));
    assert_eq!(web.replicas(), Some(4));
    take(&kinds, [Event::Delete(workload("web", 8, 4))]);
    web.saw(&scale(7, 4));
    assert_eq!(web.replicas(), None);
}

#[test]
fn a_target_that_is_deleted_and_made_again_is_followed_on() {
    let kinds = kinds();
    let web = follow(&kinds, "web");
    web.saw(&scale(5, 3));
    take(&kinds, [Event::Delete(workload("web", 6, 3))]);
    assert_eq!(web.replicas(), None);
    take(&kinds, [Event::Apply(workload("web", 9, 1))]);
    assert_eq!(web.replicas(), Some(1));
    // The end of the one before, told once more after a break.
    take(&kinds, [Event::Delete(workload("web", 6, 3))]);
    assert_eq!(web.replicas(), Some(1));
}

#[test]
fn a_list_tells_what_went_away_while_nobody_watched() {
    let kinds = kinds();
    let (web, api) = (follow(&kinds, "web"), follow(&kinds, "api"));
    web.saw(&scale(5, 3));
    api.saw(&scale(5, 3));
    take(
        &kinds,
        [
            Event::Init,
            Event::InitApply(workload("api", 7, 2)),
            Event::InitDone,
        ],
    );
    assert_eq!((web.replicas(), api.replicas()), (None, Some(2)));
}

#[test]
fn the_list_of_one_namespace_says_nothing_of_another() {
    let kinds = kinds();
    let web = follow(&kinds, "web");
    web.saw(&scale(5, 3));
    let done = kinds.0[0].take(Event::InitDone, &mut BTreeSet::new(), Some("office"));
    assert!(done);
    assert_eq!(web.replicas(), Some(3));
}

#[tokio::test(start_paused = true)]
async fn nothing_counts_for_good() {
    let kinds = kinds();
    let web = follow(&kinds, "web");
    web.saw(&scale(5, 3));
    tokio::time::advance(CONFIRMED).await;
    assert_eq!(web.replicas(), None);
    web.saw(&scale(5, 3));
    assert_eq!(web.replicas(), Some(3));
}

#[test]
fn what_nobody_holds_is_forgotten() {
    let kinds = kinds();
    let kind = &kinds.0[0];
    let (first, second) = (follow(&kinds, "web"), follow(&kinds, "web"));
    assert!(Arc::ptr_eq(&first, &second));
    drop(first);
    assert_eq!((kind.targets().len(), *kind.followed.borrow()), (1, 1));
    drop(second);
    assert_eq!((kind.targets().len(), *kind.followed.borrow()), (0, 0));
}

/// Watches what `opened` says of each time it is opened; the last one goes on for good.
async fn watched(kinds: &Replicas, opened: Vec<Vec<watcher::Result<Event<Workload>>>>, until: impl Future) {
    let opened = Mutex::new(opened.into_iter());
    let open = || {
        let next = opened.lock().unwrap().next();
        let goes_on = next.is_none();
        let events = futures::stream::iter(next.into_iter().flatten());
        events.chain(futures::stream::pending().take(usize::from(goes_on)))
    };
    tokio::select! {
        () = kinds.0[0].watch(open, None) => panic!("it goes on"),
        _ = until => {}
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_replicas_are_read() {
    let kinds = Replicas::new(1);
    let web = follow(&kinds, "web");
    web.saw(&scale(5, 3));
    assert_eq!(web.replicas(), None, "nothing is watched yet");
    let refused = || Err(watcher::Error::NoResourceVersion);
    let list = || {
        vec![
            Ok(Event::Init),
            Ok(Event::InitApply(workload("web", 6, 4))),
            Ok(Event::InitDone),
        ]
    };
    let broken = list().into_iter().chain([refused()]).collect();
    let seen = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(web.replicas(), None, "the list was refused");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(web.replicas(), None, "the watch broke after the list");
    };
    watched(&kinds, vec![vec![refused()], broken], seen).await;
    let kind = &kinds.0[0];
    assert_eq!(kind.broken.load(Ordering::Acquire), 1);
    let standing = Standing::new(&kind.broken);
    assert_eq!(web.replicas(), Some(4), "once it stands again");
    drop(standing);
    assert_eq!(web.replicas(), None);
}
