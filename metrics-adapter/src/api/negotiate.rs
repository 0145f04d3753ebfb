//! Which format a client takes. JSON is all there is; the aggregated form of discovery is JSON too, under a name of its own.

use http::{HeaderMap, header};

/// The aggregated form of discovery.
pub(crate) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Plain JSON.
    Json,
    /// Aggregated discovery, version 2.
    AggregatedV2,
}

/// The first of the client's wishes that can be met; `None` when there is none (406). Wishes are taken in the order they are written,
/// as `k8s.io/apiserver/pkg/endpoints/handlers/negotiation` takes them when weights are equal.
pub(crate) fn format(headers: &HeaderMap, aggregated: bool) -> Option<Format> {
    let mut wishes = headers
        .get_all(header::ACCEPT)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|wish| !wish.is_empty())
        .peekable();
    if wishes.peek().is_none() {
        return Some(Format::Json);
    }
    wishes.find_map(|wish| {
        let mut parts = wish.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameter = |key: &str| {
            parts
                .clone()
                .find_map(|part| part.split_once('=').filter(|(name, _)| name.trim() == key))
                .map(|(_, v)| v.trim())
        };
        if !matches!(kind.as_str(), "application/json" | "application/*" | "*/*")
            || parameter("q") == Some("0")
        {
            return None;
        }
        match (parameter("as"), parameter("g"), parameter("v")) {
            (None, _, _) => Some(Format::Json),
            (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some("v2")) if aggregated => {
                Some(Format::AggregatedV2)
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: Option<Format>) {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().expect("a header"));
        }
        assert_eq!(format(&headers, true), expected, "{accept}");
    }

    #[test]
    fn json_suffices_for_all_but_protobuf_and_tables() {
        use Format::{AggregatedV2, Json};
        check("", Some(Json));
        check("*/*", Some(Json));
        check("application/json", Some(Json));
        check("application/vnd.kubernetes.protobuf, */*", Some(Json));
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Some(Json),
        );
        check("application/json;as=Table;v=v1;g=meta.k8s.io", None);
        check("application/vnd.kubernetes.protobuf", None);
        check("text/html", None);
        check("application/json;q=0", None);
        let beta = AGGREGATED.replace("v2", "v2beta1");
        check(&format!("{AGGREGATED},{beta}"), Some(AggregatedV2));
        check(
            &format!("{beta},{AGGREGATED},application/json"),
            Some(AggregatedV2),
        );
        check(&beta, None);
        check(&format!("{beta},application/json"), Some(Json));
    }

    #[test]
    fn aggregation_is_for_discovery_only() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, AGGREGATED.parse().expect("a header"));
        assert_eq!(super::format(&headers, false), None);
    }
}
