//! The certificate authority and the one certificate of operator, adapter and webhooks. Pure: the time is an argument.
//!
//! Life of a rotation, so that no connection fails while readers reload at their own pace:
//!
//! ```text
//! ca.crt [A]        tls.crt by A
//! ca.crt [B, A]     tls.crt by A      staged: everybody learns to trust B
//! ca.crt [B, A]     tls.crt by B      after the overlap
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Years that an authority holds, as upstream's.
const CA_YEARS: i64 = 10;
/// Years that the certificate holds, as upstream's.
const LEAF_YEARS: i64 = 1;
/// How long before the end both are renewed, as upstream's.
const LOOK_AHEAD: Duration = Duration::from_hours(90 * 24);
/// Authorities kept in `ca.crt`: the one that signs and the one before.
const KEPT: usize = 2;

/// What the Secret holds: PEM texts.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// Trusted authorities; the first one signs.
    pub(crate) ca_crt: String,
    /// Key of the first authority.
    pub(crate) ca_key: String,
    /// The certificate.
    pub(crate) tls_crt: String,
    /// Key of the certificate.
    pub(crate) tls_key: String,
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle")
            .field("ca_crt", &self.ca_crt)
            .field("tls_crt", &self.tls_crt)
            .finish_non_exhaustive()
    }
}

/// Whom the certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// DNS names.
    pub(crate) dns: Vec<String>,
    /// Also this machine's own addresses: outside a cluster the parts meet there.
    pub(crate) loopback: bool,
}

impl Names {
    /// The names that each Service answers to.
    pub(crate) fn of_services(services: &[&str], namespace: &str, domain: &str, loopback: bool) -> Self {
        let mut dns: Vec<String> = services
            .iter()
            .flat_map(|service| {
                [
                    (*service).to_owned(),
                    format!("{service}.{namespace}"),
                    format!("{service}.{namespace}.svc"),
                    format!("{service}.{namespace}.svc.{domain}"),
                ]
            })
            .collect();
        if loopback {
            dns.push("localhost".to_owned());
        }
        Self { dns, loopback }
    }
}

/// What to do about the certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All is well until then.
    Keep {
        /// When to look again at the latest.
        until: Timestamp,
    },
    /// Write this, and say why.
    Write {
        /// The new content.
        bundle: Box<Bundle>,
        /// What changed, for the log.
        why: &'static str,
        /// A new authority waits for its readers: sign with it only after the overlap.
        staged: bool,
    },
}

/// Decides the next step.
///
/// `rotate` asks for a new authority; `staged_at` is when the first authority was published, where it has not signed yet.
pub(crate) fn next(
    seen: &Bundle,
    names: &Names,
    rotate: bool,
    staged_at: Option<Timestamp>,
    overlap: Duration,
    now: Timestamp,
) -> Result<Step, rcgen::Error> {
    let trusted = trusted(&seen.ca_crt, now);
    let signing = signing_key(seen, &trusted);
    let leaf_state = leaf_state(seen, &trusted, names, now);
    // One rotation at a time: a second would push out the authority that still signs.
    let rotate = rotate && !matches!(leaf_state, Leaf::Good { by: 1.., .. });
    let Some(key) = signing.filter(|_| !rotate) else {
        // Without its key the old authority cannot sign, yet what it signed stays good until readers trust the new one.
        return stage(seen, &trusted, leaf_state, names, now);
    };
    match leaf_state {
        Leaf::Good { by: 0, until } if ends(&trusted[0]).is_none_or(|end| end - LOOK_AHEAD > now) => {
            let end = ends(&trusted[0]).map_or(until, |end| (end - LOOK_AHEAD).min(until));
            Ok(Step::Keep { until: end })
        }
        Leaf::Good { by: 0, .. } => stage(seen, &trusted, leaf_state, names, now),
        Leaf::Good { until, .. } => {
            let due = staged_at.map_or(now, |at| at + overlap);
            if due > now {
                Ok(Step::Keep {
                    until: due.min(until),
                })
            } else {
                sign(seen, &trusted, &key, names, now)
            }
        }
        Leaf::Bad => sign(seen, &trusted, &key, names, now),
    }
}

/// Publishes a new authority beside the old ones; signs with it at once only if nothing good would be lost.
fn stage(
    seen: &Bundle,
    trusted: &[CertificateDer<'static>],
    leaf: Leaf,
    names: &Names,
    now: Timestamp,
) -> Result<Step, rcgen::Error> {
    let key = KeyPair::generate()?;
    let pem = authority(&key, now)?;
    let mut bundle = Bundle {
        ca_key: key.serialize_pem(),
        ..seen.clone()
    };
    bundle.ca_crt = std::iter::once(pem)
        .chain(trusted.iter().take(KEPT - 1).map(|old| to_pem(old)))
        .collect();
    if let Leaf::Good { .. } = leaf {
        return Ok(Step::Write {
            bundle: Box::new(bundle),
            why: "a new authority is published",
            staged: true,
        });
    }
    let issuer = Issuer::from_ca_cert_pem(&bundle.ca_crt, key)?;
    (bundle.tls_crt, bundle.tls_key) = leaf_signed(&issuer, names, now)?;
    Ok(Step::Write {
        bundle: Box::new(bundle),
        why: "a new authority and certificate are made",
        staged: false,
    })
}

fn sign(
    seen: &Bundle,
    trusted: &[CertificateDer<'static>],
    key: &KeyPair,
    names: &Names,
    now: Timestamp,
) -> Result<Step, rcgen::Error> {
    let issuer = Issuer::from_ca_cert_der(&trusted[0], key)?;
    let mut bundle = seen.clone();
    (bundle.tls_crt, bundle.tls_key) = leaf_signed(&issuer, names, now)?;
    bundle.ca_crt = trusted.iter().take(KEPT).map(|ca| to_pem(ca)).collect();
    Ok(Step::Write {
        bundle: Box::new(bundle),
        why: "a new certificate is signed",
        staged: false,
    })
}

fn authority(key: &KeyPair, now: Timestamp) -> Result<String, rcgen::Error> {
    let mut params = params(now, CA_YEARS);
    params.distinguished_name.push(DnType::CommonName, "KEDA");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "KEDAORG");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    Ok(params.self_signed(key)?.pem())
}

fn leaf_signed<S: rcgen::SigningKey>(
    issuer: &Issuer<'_, S>,
    names: &Names,
    now: Timestamp,
) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = params(now, LEAF_YEARS);
    let common = names.dns.first().map_or("keda", String::as_str);
    params.distinguished_name.push(DnType::CommonName, common);
    for name in &names.dns {
        params
            .subject_alt_names
            .push(SanType::DnsName(name.as_str().try_into()?));
    }
    if names.loopback {
        params
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    Ok((params.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}

/// Parameters that hold from yesterday (clocks differ) for some years.
fn params(now: Timestamp, years: i64) -> CertificateParams {
    let day = |date: Date| {
        rcgen::date_time_ymd(
            i32::from(date.year()),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = day(today.saturating_sub(1.day()));
    params.not_after = day(today.saturating_add(years.years()));
    params
}

/// The authorities of a `ca.crt` that can be read and have not ended.
fn trusted(pem: &str, now: Timestamp) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .filter_map(Result::ok)
        .filter(|der| ends(der).is_some_and(|end| end > now))
        .collect()
}

fn ends(der: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// The key of the first authority, if it is that authority's.
fn signing_key(seen: &Bundle, trusted: &[CertificateDer<'static>]) -> Option<KeyPair> {
    let key = KeyPair::from_pem(&seen.ca_key).ok()?;
    let (_, ca) = X509Certificate::from_der(trusted.first()?).ok()?;
    (ca.public_key().raw == key.subject_public_key_info()).then_some(key)
}

/// How the present certificate fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    /// Missing, ending, for other names, or signed by nobody we trust.
    Bad,
    /// Usable: signed by that authority, to be renewed then.
    Good { by: usize, until: Timestamp },
}

fn leaf_state(seen: &Bundle, trusted: &[CertificateDer<'static>], names: &Names, now: Timestamp) -> Leaf {
    read_leaf(seen, trusted, names, now).unwrap_or(Leaf::Bad)
}

fn read_leaf(
    seen: &Bundle,
    trusted: &[CertificateDer<'static>],
    names: &Names,
    now: Timestamp,
) -> Option<Leaf> {
    let der = CertificateDer::from_pem_slice(seen.tls_crt.as_bytes()).ok()?;
    let (_, leaf) = X509Certificate::from_der(&der).ok()?;
    let key = KeyPair::from_pem(&seen.tls_key).ok()?;
    let until = Timestamp::from_second(leaf.validity().not_after.timestamp()).ok()? - LOOK_AHEAD;
    let alternatives = leaf.subject_alternative_name().ok()??;
    let has = |wanted: &String| {
        alternatives
            .value
            .general_names
            .iter()
            .any(|name| matches!(name, GeneralName::DNSName(dns) if dns == wanted))
    };
    let issuer = authority_key(&leaf)?;
    let by = trusted.iter().position(|ca| {
        X509Certificate::from_der(ca)
            .ok()
            .and_then(|(_, ca)| subject_key(&ca))
            .as_ref()
            == Some(&issuer)
    })?;
    let good =
        until > now && leaf.public_key().raw == key.subject_public_key_info() && names.dns.iter().all(has);
    good.then_some(Leaf::Good { by, until })
}

fn authority_key(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
            _ => None,
        })
}

fn subject_key(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
}

fn to_pem(der: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAP: Duration = Duration::from_mins(2);

    fn names() -> Names {
        Names::of_services(
            &["keda-operator", "keda-metrics-apiserver"],
            "keda",
            "cluster.local",
            true,
        )
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn step(seen: &Bundle, rotate: bool, staged_at: Option<Timestamp>, at: Timestamp) -> Step {
        next(seen, &names(), rotate, staged_at, OVERLAP, at).unwrap()
    }

    #[track_caller]
    fn written(step: Step) -> (Bundle, bool) {
        match step {
            Step::Write { bundle, staged, .. } => (*bundle, staged),
            Step::Keep { .. } => panic!("expected a write"),
        }
    }

    fn first() -> Bundle {
        written(step(&Bundle::default(), false, None, now())).0
    }

    #[test]
    fn an_empty_secret_gets_everything_and_then_rests() {
        let bundle = first();
        let Step::Keep { until } = step(&bundle, false, None, now()) else {
            panic!("not at rest")
        };
        assert_eq!(until, "2026-10-03T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn a_rotation_publishes_first_and_signs_after_the_overlap() {
        let old = first();
        let (staged, waits) = written(step(&old, true, None, now()));
        assert!(waits);
        assert_eq!(staged.tls_crt, old.tls_crt);
        assert_eq!(staged.ca_crt.matches("BEGIN").count(), 2);
        assert!(staged.ca_crt.ends_with(&old.ca_crt));
        assert!(
            matches!(step(&staged, false, Some(now()), now()), Step::Keep { until } if until == now() + OVERLAP)
        );
        let (signed, waits) = written(step(&staged, false, Some(now()), now() + OVERLAP));
        assert!(!waits);
        assert_ne!(signed.tls_crt, old.tls_crt);
        assert_eq!(signed.ca_crt, staged.ca_crt);
        assert!(matches!(step(&signed, false, None, now()), Step::Keep { .. }));
    }

    #[test]
    fn a_second_rotation_waits_for_the_first() {
        let (staged, _) = written(step(&first(), true, None, now()));
        assert!(matches!(
            step(&staged, true, Some(now()), now()),
            Step::Keep { .. }
        ));
    }

    #[test]
    fn a_third_authority_pushes_the_first_one_out() {
        let old = first();
        let (staged, _) = written(step(&old, true, None, now()));
        let (signed, _) = written(step(&staged, false, None, now()));
        let (third, _) = written(step(&signed, true, None, now()));
        assert_eq!(third.ca_crt.matches("BEGIN").count(), KEPT);
        assert!(!third.ca_crt.contains(&old.ca_crt));
    }

    #[test]
    fn a_lost_certificate_is_signed_again_by_the_same_authority() {
        let old = first();
        let (new, _) = written(step(
            &Bundle {
                tls_crt: String::new(),
                ..old.clone()
            },
            false,
            None,
            now(),
        ));
        assert_eq!(new.ca_crt, old.ca_crt);
        assert!(matches!(step(&new, false, None, now()), Step::Keep { .. }));
    }

    #[test]
    fn a_lost_authority_key_stages_a_new_authority() {
        let (staged, waits) = written(step(
            &Bundle {
                ca_key: String::new(),
                ..first()
            },
            false,
            None,
            now(),
        ));
        assert!(waits && staged.ca_crt.matches("BEGIN").count() == 2);
    }

    #[test]
    fn ahead_of_its_end_a_certificate_is_renewed_and_an_authority_staged() {
        let old = first();
        let (new, waits) = written(step(&old, false, None, "2026-11-01T00:00:00Z".parse().unwrap()));
        assert!(!waits && new.ca_crt == old.ca_crt && new.tls_crt != old.tls_crt);
        let late: Timestamp = "2035-11-01T00:00:00Z".parse().unwrap();
        let (young, _) = written(step(
            &Bundle {
                tls_crt: String::new(),
                ..old
            },
            false,
            None,
            late,
        ));
        let (staged, waits) = written(step(&young, false, None, late));
        assert!(waits && staged.tls_crt == young.tls_crt);
    }

    #[test]
    fn other_names_need_another_certificate() {
        let wider = Names::of_services(&["keda-operator", "other"], "keda", "cluster.local", true);
        let step = next(&first(), &wider, false, None, OVERLAP, now()).unwrap();
        assert!(matches!(step, Step::Write { staged: false, .. }));
    }

    #[test]
    fn keys_are_never_printed() {
        assert!(!format!("{:?}", first()).contains("PRIVATE"));
    }
}
