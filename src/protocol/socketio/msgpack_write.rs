//! Writing `MessagePack`, in the shortest forms, as `notepack.io` does.

/// Appends `nil`.
pub fn write_nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends `true` or `false`.
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(0xc2 + u8::from(value));
}

/// Appends an integer that is not negative, in its shortest form.
pub fn write_uint(out: &mut Vec<u8>, value: u64) {
    if let Ok(value) = u8::try_from(value) {
        if value >= 0x80 {
            out.push(0xcc);
        }
        out.push(value);
    } else if let Ok(value) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = u32::try_from(value) {
        out.push(0xce);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends an integer in its shortest form.
pub fn write_int(out: &mut Vec<u8>, value: i64) {
    if let Ok(value) = u64::try_from(value) {
        write_uint(out, value);
    } else if let Ok(value) = i8::try_from(value) {
        if value < -0x20 {
            out.push(0xd0);
        }
        out.push(value.cast_unsigned());
    } else if let Ok(value) = i16::try_from(value) {
        out.push(0xd1);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(0xd2);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends a number as JavaScript would: whole ones as integers, if 64 bits hold them, others as 64-bit floats.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole and in range"
)]
pub fn write_float(out: &mut Vec<u8>, value: f64) {
    /// 2^63 and 2^64 as floats.
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    const TWO_64: f64 = 2.0 * TWO_63;
    if value.fract() == 0.0 && (0.0..TWO_64).contains(&value) {
        write_uint(out, value as u64);
    } else if value.fract() == 0.0 && (-TWO_63..0.0).contains(&value) {
        write_int(out, value as i64);
    } else {
        out.push(0xcb);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends a text.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    write_str_bytes(out, text.as_bytes());
}

/// Appends a text that may be no UTF-8.
fn write_str_bytes(out: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(len) if len < 0x20 => out.push(0xa0 | len),
        Ok(len) => out.extend_from_slice(&[0xd9, len]),
        Err(_) => write_len(out, 0xda, text.len()),
    }
    out.extend_from_slice(text);
}

/// Appends bytes.
pub fn write_bin(out: &mut Vec<u8>, bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(len) => out.extend_from_slice(&[0xc4, len]),
        Err(_) => write_len(out, 0xc5, bytes.len()),
    }
    out.extend_from_slice(bytes);
}

/// Appends the head of an array; its items have to follow.
pub fn write_array_len(out: &mut Vec<u8>, n_items: usize) {
    match u8::try_from(n_items) {
        Ok(len) if len < 0x10 => out.push(0x90 | len),
        _ => write_len(out, 0xdc, n_items),
    }
}

/// Appends the head of a map; its pairs have to follow.
pub fn write_map_len(out: &mut Vec<u8>, n_pairs: usize) {
    match u8::try_from(n_pairs) {
        Ok(len) if len < 0x10 => out.push(0x80 | len),
        _ => write_len(out, 0xde, n_pairs),
    }
}

/// A lead byte with a 16-bit length, or the following lead byte with 32 bits. `MessagePack` has no longer ones; the caps on
/// messages are far below.
fn write_len(out: &mut Vec<u8>, lead: u8, len: usize) {
    if let Ok(len) = u16::try_from(len) {
        out.push(lead);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(lead + 1);
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }
}
