//! Base64 as Engine.IO uses it: written strictly, read with the tolerance clients are used to.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

use super::DecodeError;

/// The standard alphabet; padding may be missing and the unused bits of the last symbol may be set.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes that [`append`] adds for `n_bytes`, padding included.
pub(super) const fn encoded_len(n_bytes: usize) -> usize {
    n_bytes.div_ceil(3).saturating_mul(4)
}

/// Appends `bytes` in the standard alphabet with padding.
pub(super) fn append(out: &mut String, bytes: &[u8]) {
    STANDARD.encode_string(bytes, out);
}

/// Reads base64 of either alphabet, with or without padding, white space allowed anywhere.
///
/// Source: `Buffer.from(text, "base64")` as documented by Node.js, which is what the reference decodes with. Node also
/// skips symbols of no alphabet and drops a lone last symbol: that loses data in silence, so it is an error here.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    if let Ok(bytes) = TOLERANT.decode(text) {
        return Ok(bytes);
    }
    let plain: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    let n_symbols = plain
        .iter()
        .rposition(|&byte| byte != b'=')
        .map_or(0, |last| last + 1);
    TOLERANT
        .decode(&plain[..n_symbols])
        .map_err(|_| DecodeError::InvalidBase64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Each row was given to Node.js 20: the bytes it decodes, or what it leaves of a damaged text, which we refuse.
    #[test]
    fn reads_what_node_reads_and_refuses_what_node_repairs() {
        let same: [(&str, &[u8]); 11] = [
            ("", &[]),
            ("AQIDBA==", &[1, 2, 3, 4]),
            ("AQ==", &[1]),
            ("AQ", &[1]),
            ("AQI", &[1, 2]),
            ("AR==", &[1]),
            ("-_8", &[0xfb, 0xff]),
            ("+/8=", &[0xfb, 0xff]),
            ("+_-/", &[0xfb, 0xff, 0xbf]),
            ("AQ ID\nBA==", &[1, 2, 3, 4]),
            ("AQIDBA===", &[1, 2, 3, 4]),
        ];
        for (text, bytes) in same {
            assert_eq!(decode(text).as_deref(), Ok(bytes), "{text:?}");
        }
        for text in ["!!!!", "AQI%DBA=", "AQ==AQ==", "A=QI", "A", "é", "AQ\0="] {
            assert_eq!(decode(text), Err(DecodeError::InvalidBase64), "{text:?}");
        }
        assert_eq!(decode("===="), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn what_is_appended_has_the_announced_length_and_is_read_back(bytes: Vec<u8>) {
            let mut text = String::from("b");
            append(&mut text, &bytes);
            prop_assert_eq!(text.len(), 1 + encoded_len(bytes.len()));
            prop_assert_eq!(decode(&text[1..]), Ok(bytes.clone()));
            let url_safe = text[1..].replace('+', "-").replace('/', "_").replace('=', "");
            prop_assert_eq!(decode(&url_safe), Ok(bytes));
        }
    }
}
