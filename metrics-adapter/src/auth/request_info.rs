//! What a request wants, in the words of authorization. Upstream: `k8s.io/apiserver/pkg/endpoints/request.RequestInfoFactory`, v1.36.

use http::Method;

use super::percent_decoded;

/// What a request wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RequestInfo {
    /// An object or a collection.
    Resource(ResourceInfo),
    /// Anything else.
    Path {
        /// Method in lower case.
        verb: String,
        /// Path.
        path: String,
    },
}

/// An object or a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ResourceInfo {
    /// `get`, `list`, `watch`, `create` and so on.
    pub(crate) verb: String,
    /// API group.
    pub(crate) group: String,
    /// Version.
    pub(crate) version: String,
    /// Namespace, empty at the cluster scope.
    pub(crate) namespace: String,
    /// Resource; a metric's name here.
    pub(crate) resource: String,
    /// Subresource, empty for none.
    pub(crate) subresource: String,
    /// Object, empty for a collection.
    pub(crate) name: String,
}

impl RequestInfo {
    /// Reads method, path (still encoded) and query of a request.
    pub(crate) fn of(method: &Method, path: &str, query: Option<&str>) -> Self {
        // What is authorized is what is answered: handlers take namespace and metric from here.
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(percent_decoded)
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let ["apis", group, version, rest @ ..] = parts.as_slice() else {
            return Self::path(method, path);
        };
        if rest.is_empty() {
            return Self::path(method, path);
        }
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..]
                if !rest.is_empty() && !matches!(rest[0], "status" | "finalize") =>
            {
                (*namespace, rest)
            }
            ["namespaces", namespace, ..] => (*namespace, rest),
            _ => ("", rest),
        };
        let part = |index: usize| {
            rest.get(index)
                .map_or_else(String::new, |part| (*part).to_owned())
        };
        Self::Resource(ResourceInfo {
            verb: verb(method, rest.len() < 2, query).to_owned(),
            group: (*group).to_owned(),
            version: (*version).to_owned(),
            namespace: namespace.to_owned(),
            resource: part(0),
            name: part(1),
            subresource: part(2),
        })
    }

    fn path(method: &Method, path: &str) -> Self {
        Self::Path {
            verb: method.as_str().to_ascii_lowercase(),
            path: path.to_owned(),
        }
    }

    /// The verb.
    pub(crate) fn verb(&self) -> &str {
        match self {
            Self::Resource(info) => &info.verb,
            Self::Path { verb, .. } => verb,
        }
    }

    /// The sentence of a refusal. Upstream: `responsewriters.forbiddenMessage`.
    pub(crate) fn forbidden(&self, user: &str) -> String {
        match self {
            Self::Path { verb, path } => format!("User {user:?} cannot {verb} path {path:?}"),
            Self::Resource(info) => {
                let resource = match info.subresource.as_str() {
                    "" => info.resource.clone(),
                    subresource => format!("{}/{subresource}", info.resource),
                };
                let scope = match info.namespace.as_str() {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace {namespace:?}"),
                };
                format!(
                    "User {user:?} cannot {} resource {resource:?} in API group {:?} {scope}",
                    info.verb, info.group
                )
            }
        }
    }
}

fn verb(method: &Method, collection: bool, query: Option<&str>) -> &'static str {
    let watching = || {
        query.unwrap_or_default().split('&').any(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            key == "watch" && !matches!(value.to_ascii_lowercase().as_str(), "false" | "0")
        })
    };
    match *method {
        Method::GET | Method::HEAD if collection && watching() => "watch",
        Method::GET | Method::HEAD if collection => "list",
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if collection => "deletecollection",
        Method::DELETE => "delete",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, uri: &str, expected: &str) {
        let (path, query) = uri
            .split_once('?')
            .map_or((uri, None), |(path, query)| (path, Some(query)));
        let text = match RequestInfo::of(method, path, query) {
            RequestInfo::Path { verb, path } => format!("{verb} {path}"),
            RequestInfo::Resource(i) => [
                &i.verb,
                &i.group,
                &i.namespace,
                &i.resource,
                &i.name,
                &i.subresource,
            ]
            .map(String::as_str)
            .join(" ")
            .trim_end()
            .to_owned(),
        };
        assert_eq!(text, expected, "{method} {uri}");
    }

    #[test]
    fn reads_paths_as_an_api_server_does() {
        const V1: &str = "/apis/external.metrics.k8s.io/v1beta1";
        let under = |rest: &str| format!("{V1}{rest}");
        check(&Method::GET, "/healthz", "get /healthz");
        check(&Method::GET, "/apis", "get /apis");
        check(&Method::GET, V1, &format!("get {V1}"));
        check(
            &Method::GET,
            &under("/namespaces/a/s0-x"),
            "list external.metrics.k8s.io a s0-x",
        );
        check(
            &Method::GET,
            &under("/namespaces/a/s0-x?watch=true"),
            "watch external.metrics.k8s.io a s0-x",
        );
        check(
            &Method::GET,
            &under("/namespaces/a/s0-x?watch=0"),
            "list external.metrics.k8s.io a s0-x",
        );
        check(
            &Method::GET,
            &under("/namespaces/a/s0-x/n"),
            "get external.metrics.k8s.io a s0-x n",
        );
        check(
            &Method::GET,
            &under("/namespaces/a"),
            "get external.metrics.k8s.io a namespaces a",
        );
        check(
            &Method::GET,
            &under("/namespaces/a/status"),
            "get external.metrics.k8s.io a namespaces a status",
        );
        check(
            &Method::POST,
            &under("/namespaces/a/s0-x"),
            "create external.metrics.k8s.io a s0-x",
        );
        check(
            &Method::DELETE,
            &under("/namespaces/a/s0-x"),
            "deletecollection external.metrics.k8s.io a s0-x",
        );
        check(
            &Method::GET,
            &under("/s0-x"),
            "list external.metrics.k8s.io  s0-x",
        );
        check(
            &Method::GET,
            &under("/namespaces/a/s0-%78%2f"),
            "list external.metrics.k8s.io a s0-x/",
        );
    }
}
