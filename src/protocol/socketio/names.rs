//! Names that come again and again: those of events and namespaces.

use std::cell::RefCell;

use bytestring::ByteString;

/// How many names a thread keeps, and how long they may be. Whatever clients send, it is no more.
const N_KEPT: usize = 64;
const MAX_BYTES: usize = 64;

thread_local! {
    static KEPT: RefCell<[ByteString; N_KEPT]> =
        const { RefCell::new([const { ByteString::from_static("") }; N_KEPT]) };
}

/// The name, shared with others who have it.
// Hot: once per event; one comparison and one count instead of an allocation, as long as two names do not fight for one place.
pub(super) fn shared(name: &str) -> ByteString {
    let bytes = name.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return ByteString::new();
    };
    if bytes.len() > MAX_BYTES {
        return name.into();
    }
    let place = bytes.len() ^ usize::from(*first) ^ usize::from(*last).rotate_left(2);
    KEPT.with_borrow_mut(|kept| {
        let kept = &mut kept[place % N_KEPT];
        if *kept != *name {
            *kept = name.into();
        }
        kept.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shared_as_long_as_none_takes_its_place() {
        let one = shared("message");
        assert_eq!(one, "message");
        assert_eq!(shared("message").as_ptr(), one.as_ptr());
        assert_eq!(shared("massage"), "massage", "of the same place");
        assert_ne!(shared("message").as_ptr(), one.as_ptr());
        assert_eq!(one, "message");
        assert_eq!(shared(""), "");
        assert_eq!(shared("ä"), "ä");
        let long = "x".repeat(MAX_BYTES + 1);
        assert_eq!(shared(&long), long);
        assert_ne!(shared(&long).as_ptr(), shared(&long).as_ptr());
    }
}
