//! Every expected text below was printed by kubectl 1.32 (`kubectl label --local -f FILE q=r -o jsonpath=…`).

use super::*;

const OBJECT: &str = r#"{"kind":"Deployment","metadata":{"name":"web","labels":{"app.kubernetes.io/name":"web"}},
"spec":{"f":0.5,"g":1e21,"h":0.00001,"i":1000000.0,"big":12345678901,"n":null,"t":true,"list":[1,2,3],"u":"a\"\u0001<",
"conditions":[{"type":"Ready","status":"True","n":3},{"type":"Active","status":"False","n":1}],
"containers":[{"name":"one","ports":[{"p":80},{"p":443}]},{"name":"two"}],
"m":{"b":1,"a":{"x":null}}}}"#;

fn render(template: &str) -> Result<String, JsonPathError> {
    let object = serde_json::from_str(OBJECT).expect("the object above is JSON");
    Template::parse(template)?.render(&object)
}

#[track_caller]
fn check(template: &str, want: &str) {
    assert_eq!(render(template).as_deref(), Ok(want), "{template}");
}

#[test]
fn paths_and_texts() {
    check("{.metadata.name}", "web");
    check("{$.metadata.name}", "web");
    check("{@.metadata.name}", "web");
    check("{ .kind }", "Deployment");
    check(".metadata.name", ".metadata.name");
    check("{.nope.deeper}x", "x");
    check("{.spec.list.a}", "");
    check("{.}", "");
    check("a}b", "a}b");
    check("{\"a\\tb\"}", "a\tb");
    check("{'x\\ny'}", "x\ny");
    check("{.metadata.name \"lit\"}", "lit");
    check("{true}{3}{-1.5}", "true3-1.5");
    check("{.kind}\\n", "Deployment\\n");
    check("{.kind}{\"\\n\"}", "Deployment\n");
}

#[test]
fn names_with_dots() {
    check("{.metadata.labels.app\\.kubernetes\\.io/name}", "web");
    check("{.metadata.labels['app\\.kubernetes\\.io/name']}", "web");
    check("{['metadata.name']}", "web");
}

#[test]
fn values_are_printed_as_go_prints_them() {
    check(
        "{.spec.f} {.spec.g} {.spec.h} {.spec.i} {.spec.big}",
        "0.5 1e+21 1e-05 1e+06 12345678901",
    );
    check("{.spec.n}", "null");
    check("{.spec.t}{.spec.list}", "true[1,2,3]");
    check("x{.spec.m}y", r#"x{"a":{"x":null},"b":1}y"#);
    check("{.spec.u}", "a\"\u{1}<");
    check("{..n}", "null 3 1");
}

#[test]
fn objects_are_escaped_as_go_escapes_them() {
    let object = serde_json::json!({"z": "<b&c>", "h": 0.00001, "i": 1_000_000.0, "g": 1e21});
    let template = Template::parse("{@}").expect("reads");
    let want = r#"{"g":1e+21,"h":0.00001,"i":1000000,"z":"\u003cb\u0026c\u003e"}"#;
    assert_eq!(template.render(&object).as_deref(), Ok(want));
}

#[test]
fn lists_and_slices() {
    check("{.spec.list[*]}", "1 2 3");
    check("{.spec.list[0,2]}", "1 3");
    check("{.spec.list[::2]}", "1 3");
    check("{.spec.list[-2:]}", "2 3");
    check("{.spec.list[0:3:2]}", "1 3");
    check("{.spec.list[1:1]}", "");
    check("{.spec.list[-1]}", "3");
    check("{.spec.conditions[*].n}", "3 1");
    check("{.spec.conditions.type}", "");
    check("{..type}", "Ready Active");
    check("{.spec.name[0]}", "");
    check(
        "{.metadata['name','labels']}",
        r#"web {"app.kubernetes.io/name":"web"}"#,
    );
    check("{.spec.conditions[*]['type','n']}", "Ready Active 3 1");
}

#[test]
fn filters() {
    check("{.spec.conditions[?(@.type==\"Ready\")].status}", "True");
    check("{.spec.conditions[?(@.type=='Ready')].status}", "True");
    check("{.spec.conditions[?(@.type!=\"Ready\")].status}", "False");
    check("{.spec.conditions[?(@.n>2)].type}", "Ready");
    check("{.spec.conditions[?(@.n == 3)].type}", "Ready");
    check("{.spec.conditions[?(@.n)].type}", "Ready Active");
    check("{.spec.conditions[?(@.nope)].type}", "");
    check("{.spec.conditions[?(@.type==\"a)b\")].status}", "");
    check(
        "{.spec.conditions[?(@.type==\"Ready\")]}",
        r#"{"n":3,"status":"True","type":"Ready"}"#,
    );
}

#[test]
fn ranges() {
    check(
        "{range .spec.conditions[*]}[{.type}, {.status}] {end}",
        "[Ready, True] [Active, False] ",
    );
    check("{range .spec.conditions[*]}{$.type}{end}", "ReadyActive");
    check("{range.spec.list[*]}{@}{end}", "123");
    check("{range .nope[*]}a{end}b", "b");
    check(
        "{range .spec.containers[*]}{.name}:{range .ports[*]}{.p},{end};{end}done",
        "one:80,443,;two:;done",
    );
}

/// kubectl refuses each of these too.
#[test]
fn mistakes_are_named() {
    let out = |index, length| Err(JsonPathError::OutOfBounds { index, length });
    assert_eq!(render("{.spec.list[3]}"), out(3, 3));
    assert_eq!(render("{.spec.list[-4]}"), out(-1, 3));
    assert_eq!(render("{.spec.list[5:]}"), out(5, 3));
    assert_eq!(render("{.spec.list[1:9]}"), out(8, 3));
    assert_eq!(
        render("{.spec.m[0]}"),
        Err(JsonPathError::NotAnArray("an object"))
    );
    assert_eq!(render("{.a"), Err(JsonPathError::UnclosedAction));
    assert_eq!(render("{end}"), Err(JsonPathError::StrayEnd));
    assert_eq!(render("{'a}"), Err(JsonPathError::UnclosedQuote));
    assert_eq!(render("{.a[0}"), Err(JsonPathError::UnclosedBracket));
    assert_eq!(render("{.a[?(@.b==1}"), Err(JsonPathError::UnclosedBracket));
    assert_eq!(
        render("{.spec[\"m\"]}"),
        Err(JsonPathError::BadIndex("\"m\"".to_owned()))
    );
    assert_eq!(
        render("{[.kind,.spec]}"),
        Err(JsonPathError::BadIndex(".kind".to_owned()))
    );
    assert_eq!(render("{foo}"), Err(JsonPathError::Unexpected("foo".to_owned())));
    assert_eq!(render("{bar}"), Err(JsonPathError::Unexpected("b".to_owned())));
}

/// kubectl prints the body once too often here; a range that is never closed is a mistake.
#[test]
fn a_range_must_end() {
    assert_eq!(
        render("{range .spec.list[*]}x"),
        Err(JsonPathError::UnclosedRange)
    );
}

#[test]
fn a_comparison_of_unlike_values_is_false() {
    check("{.spec.conditions[?(@.type>1)].n}", "");
}
