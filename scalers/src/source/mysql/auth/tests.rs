use std::fmt::Write as _;

use super::*;

const NONCE: &[u8] = b"abcdefghijklmnopqrst";

/// A key made for this test.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC3m3dpYrmYUJrEnFJlVyiS6tLP
re20JRh8+wMAnh/W8gIv+PnwAI3FWAXHK+LDuwdGCz8oBV5PGwiRRJ6vYOxuMXv6
wWWz+dn0ZjvERta/yoNYWDhWHu33QykJM0fDqIHMRyZO9eSs1NKUSBYh9rvvDgKo
lf6QH/xh/tzQLPHMvQIDAQAB
-----END PUBLIC KEY-----
";

/// Its other half.
const EXPONENT: &str = "0795795a3604ba80e1d3ab2d50184889c0ff522ab9fdcde6740b1e35a152\
    695b77b1a9941150c48a59376be1a92d32857b642d88a6a81d965d453ad35f251ebee08c1bd3805d35fce1c0d2\
    27f39651e14c6fba7c0bdea3df1382da3211323b5c45ddac946efe11a15897863655ae3346b0037299f9963f2c\
    bdf717a7d8c06721";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn proofs_are_those_of_the_protocol() {
    assert_eq!(
        hex(&native("secret", NONCE)),
        "8817c50fa779daef010ee7577825b0847df9842e"
    );
    assert_eq!(
        hex(&caching_sha2("secret", NONCE)),
        "c76e2898612a4cf042c77fa8c4702c4c64c0c2c557c53c4d75595aaa6abae809"
    );
    assert_eq!(
        (native("", NONCE), caching_sha2("", NONCE)),
        (Vec::new(), Vec::new())
    );
    assert_eq!(clear("secret"), b"secret\0");
}

#[test]
fn a_sealed_password_is_opened_with_the_other_half() {
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let (modulus, _) = rsa_key(&spki).expect("an RSA key");
    let exponent = BigUint::parse_bytes(EXPONENT.as_bytes(), 16).expect("a number");
    let sealed = sealed("open sesame", NONCE, KEY.as_bytes()).expect("sealed");
    assert_eq!(sealed.len(), 128);
    let opened = BigUint::from_bytes_be(&sealed)
        .modpow(&exponent, &modulus)
        .to_bytes_be();
    // The first byte of the block is zero.
    assert_eq!(opened.len(), 127);
    let (seed, block) = opened.split_at(SUM);
    let seed = xor(seed, &mask(block, SUM));
    let block = xor(block, &mask(&seed, block.len()));
    let (sum, rest) = block.split_at(SUM);
    assert_eq!(hex(sum), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    let message = rest
        .iter()
        .position(|byte| *byte == 1)
        .expect("the end of the zeros")
        + 1;
    let plain: Vec<u8> = rest[message..]
        .iter()
        .zip(NONCE)
        .map(|(byte, key)| byte ^ key)
        .collect();
    assert_eq!(plain, b"open sesame\0");
}

#[test]
fn keys_that_cannot_be_used_are_errors() {
    let refused = |password: &str, nonce: &[u8], pem: &str| {
        sealed(password, nonce, pem.as_bytes()).expect_err("refused")
    };
    assert_eq!(refused("p", b"", KEY), "the server sent no nonce");
    assert_eq!(refused("p", NONCE, ""), "the server sent no public key");
    assert_eq!(
        refused("p", NONCE, "-----BEGIN PUBLIC KEY-----\n"),
        "the server sent no public key"
    );
    let pem = |body: &str| format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    assert_eq!(
        refused("p", NONCE, &pem("")),
        "the server sent a key that is not RSA"
    );
    assert_eq!(
        refused("p", NONCE, &pem("MAAA")),
        "the server sent a key that is not RSA"
    );
    // Every number zero: nothing to divide by.
    assert_eq!(
        refused("p", NONCE, &pem("MA0wAAMJADAGAgEAAgEA")),
        "the server sent a key of no usable size"
    );
    assert_eq!(
        refused(&"p".repeat(200), NONCE, KEY),
        "the password is too long for the server's key"
    );
}

#[test]
fn der_cut_anywhere_is_no_key() {
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    for length in 0..spki.len() {
        assert!(rsa_key(&spki[..length]).is_none(), "{length}");
    }
    assert!(
        element(
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            0x30
        )
        .is_none()
    );
}
