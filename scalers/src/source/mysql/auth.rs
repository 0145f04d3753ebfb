//! Logins of the MySQL protocol: what is made of the password, and how it is hidden where there is no TLS.

use num_bigint::BigUint;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use crate::tls::provider;

/// The size of a SHA-1 sum, which the padding of the protocol uses.
const SUM: usize = 20;

/// No server has a larger key, and the time to use one grows with the cube of it.
const LARGEST_KEY: u64 = 8192;

/// A login that the server may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plugin {
    Native,
    CachingSha2,
    Sha256,
    Clear,
}

impl Plugin {
    /// The login of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "mysql_native_password" => Some(Self::Native),
            "caching_sha2_password" => Some(Self::CachingSha2),
            "sha256_password" => Some(Self::Sha256),
            "mysql_clear_password" => Some(Self::Clear),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::Sha256 => "sha256_password",
            Self::Clear => "mysql_clear_password",
        }
    }
}

/// What `mysql_native_password` sends: the password mixed with the server's nonce.
pub(super) fn native(password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = sha1(&[password.as_bytes()]);
    let twice = sha1(&[&once]);
    xor(&sha1(&[nonce, &twice]), &once)
}

/// What `caching_sha2_password` sends first.
pub(super) fn caching_sha2(password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = sha256(&[password.as_bytes()]);
    let twice = sha256(&[&once]);
    xor(&sha256(&[&twice, nonce]), &once)
}

/// The password as text ends with a zero byte.
pub(super) fn clear(password: &str) -> Vec<u8> {
    let mut text = password.as_bytes().to_vec();
    text.push(0);
    text
}

/// The password under the server's public key; the error says what is wrong with the key.
pub(super) fn sealed(password: &str, nonce: &[u8], pem: &[u8]) -> Result<Vec<u8>, &'static str> {
    if nonce.is_empty() {
        return Err("the server sent no nonce");
    }
    let mixed: Vec<u8> = clear(password)
        .iter()
        .zip(nonce.iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect();
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| "the server sent no public key")?;
    let (modulus, exponent) = rsa_key(&spki).ok_or("the server sent a key that is not RSA")?;
    if modulus.bits() < 1024 || modulus.bits() > LARGEST_KEY || exponent.bits() > 64 {
        return Err("the server sent a key of no usable size");
    }
    let size = usize::try_from(modulus.bits().div_ceil(8)).map_err(|_| "the key is too large")?;
    let mut seed = [0_u8; SUM];
    let filled = provider().secure_random.fill(&mut seed);
    filled.map_err(|_| "there is no randomness to hide the password with")?;
    let padded = oaep(&mixed, size, &seed).ok_or("the password is too long for the server's key")?;
    let number = BigUint::from_bytes_be(&padded)
        .modpow(&exponent, &modulus)
        .to_bytes_be();
    let mut sealed = vec![0; size - number.len()];
    sealed.extend_from_slice(&number);
    Ok(sealed)
}

/// The padding of RFC 8017, 7.1.1, with SHA-1 and no label; `None` where the message does not fit.
fn oaep(message: &[u8], size: usize, seed: &[u8; SUM]) -> Option<Vec<u8>> {
    let zeros = size.checked_sub(message.len() + 2 * SUM + 2)?;
    let mut block = sha1(&[]);
    block.resize(SUM + zeros, 0);
    block.push(1);
    block.extend_from_slice(message);
    let block = xor(&block, &mask(seed, block.len()));
    let seed = xor(seed, &mask(&block, SUM));
    Some([&[0], seed.as_slice(), block.as_slice()].concat())
}

/// MGF1 with SHA-1.
fn mask(seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length + SUM);
    for counter in 0_u32.. {
        if mask.len() >= length {
            break;
        }
        mask.extend(sha1(&[seed, &counter.to_be_bytes()]));
    }
    mask.truncate(length);
    mask
}

/// Modulus and exponent of an RSA key in DER: a sequence of the algorithm and a bit string that holds a sequence of two
/// numbers.
fn rsa_key(spki: &[u8]) -> Option<(BigUint, BigUint)> {
    let (outer, _) = element(spki, 0x30)?;
    let (_, after_algorithm) = element(outer, 0x30)?;
    let (bits, _) = element(after_algorithm, 0x03)?;
    let (key, _) = element(bits.strip_prefix(&[0])?, 0x30)?;
    let (modulus, rest) = element(key, 0x02)?;
    let (exponent, _) = element(rest, 0x02)?;
    Some((BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent)))
}

/// The contents of an element, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (
            digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit)),
            rest,
        )
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}

fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, &parts.concat())
        .as_ref()
        .to_vec()
}

fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

#[cfg(test)]
mod tests;
