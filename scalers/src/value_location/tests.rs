use proptest::prelude::*;

use super::*;

const DOCUMENT: &str = r#"{
  "name": {"first": "Tom", "last": "Anderson"},
  "age": 37,
  "fav.movie": "Deer Hunter",
  "zeta": 1, "zebra": 2,
  "children": ["Sara", "Alex", "Jack"],
  "queues": [
    {"name": "jobs", "depth": 44, "tags": ["hot", "paid"], "open": true},
    {"name": "mails", "depth": 68, "tags": ["cold"], "open": false},
    {"name": "x\"y", "depth": 47, "tags": ["hot"], "open": true}
  ],
  "numbers": [3, 1, 2],
  "nothing": null
}"#;

fn document() -> Json {
    serde_json::from_str(DOCUMENT).expect("JSON")
}

#[track_caller]
fn check(path: &str, wanted: &str) {
    let document = document();
    let found = find(&document, path).expect("a path");
    let wanted: Option<Json> = (!wanted.is_empty()).then(|| serde_json::from_str(wanted).expect("JSON"));
    assert_eq!(found.map(Cow::into_owned), wanted, "{path}");
}

#[test]
fn keys_and_elements() {
    check("name.last", r#""Anderson""#);
    check("age", "37");
    check("children.1", r#""Alex""#);
    check("children.3", "");
    check("children.-1", "");
    check("queues.1.depth", "68");
    check("nothing", "null");
    check("age.more", "");
    check("missing", "");
    check("", "");
}

/// A path comes from a trigger: whatever is in it, it must not take the stack of the process.
#[test]
fn paths_have_an_end() {
    let document = document();
    for (steps, good) in [
        ("@this.".repeat(255) + "@this", true),
        ("@this.".repeat(256) + "@this", false),
        ("@this.".repeat(500_000), false),
        ("a|".repeat(500_000), false),
        ("@reverse.".repeat(7) + "@reverse", true),
        ("@reverse.".repeat(8) + "@reverse", false),
    ] {
        let found = find(&document, &steps);
        assert_eq!(found.is_ok(), good, "{} bytes", steps.len());
        assert!(good || found == Err(PathError::Long));
    }
}

#[test]
fn wildcards_take_the_first_that_fits() {
    check("ze*a", "1");
    check("zeb??", "2");
    check("*.last", r#""Anderson""#);
    check("child*.2", r#""Jack""#);
    check(r"fav\.movie", r#""Deer Hunter""#);
    check(r"ze\*a", "");
}

#[test]
fn lists() {
    check("children.#", "3");
    check("queues.#.depth", "[44, 68, 47]");
    check("queues.#.missing", "[]");
    check("queues.#.depth|1", "68");
    check("queues.#.depth|#", "3");
    check("queues.#.tags.#", "[2, 1, 1]");
    check("age.#", "");
}

#[test]
fn queries() {
    check(r#"queues.#(name=="mails").depth"#, "68");
    check(r#"queues.#(name=="none").depth"#, "");
    check("queues.#(depth>45)#.name", r#"["mails", "x\"y"]"#);
    check("queues.#(depth>45)#|#", "2");
    check("queues.#(depth>=47)#.depth", "[68, 47]");
    check("queues.#(depth<=44).depth", "44");
    check("queues.#(depth!=44)#.depth", "[68, 47]");
    check(r#"queues.#(name%"j*").depth"#, "44");
    check(r#"queues.#(name!%"j*").depth"#, "68");
    check("queues.#(open==true)#.depth", "[44, 47]");
    check("queues.#(missing)#", "[]");
    check("queues.#(tags).depth", "44");
    check(r#"queues.#(tags.#(=="cold")).depth"#, "68");
    check("numbers.#(>1)#", "[3, 2]");
    check(r#"children.#(%"*e*")"#, r#""Alex""#);
}

#[test]
fn modifiers() {
    check("numbers.@reverse.0", "2");
    check("name.@keys", r#"["first", "last"]"#);
    check("name.@values|1", r#""Anderson""#);
    check("@this.age", "37");
    check("age.@keys", "");
}

#[test]
fn what_is_not_read_is_refused() {
    let document = document();
    let refused = |path: &str| find(&document, path).expect_err(path).to_string();
    assert_eq!(
        refused("name.@pretty"),
        "`@pretty` is a part of GJSON that is not read here"
    );
    assert_eq!(
        refused("{age}"),
        "`{age}` is a part of GJSON that is not read here"
    );
    assert_eq!(
        refused("queues.#(depth>4"),
        "the query `#(depth>4` has no closing parenthesis"
    );
}

proptest! {
    #[test]
    fn never_panics(path in r#"[a-z#@().|*?\\"=<>!%0-9é]{0,30}"#) {
        let _ = find(&document(), &path);
    }

    #[test]
    fn any_key_is_found_once_escaped(key in ".{1,10}") {
        let escaped: String = key.chars().flat_map(|letter| ['\\', letter]).collect();
        let document = Json::Map(vec![(key, Json::Number(1.0))]);
        prop_assert_eq!(find(&document, &escaped), Ok(Some(Cow::Owned(Json::Number(1.0)))));
    }
}
