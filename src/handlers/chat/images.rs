//! Pictures: which kinds there are, by their first bytes, and where their bytes are kept.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The kinds of pictures that can be sent.
pub(super) const TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// What a file is by its first bytes, whatever its sender calls it; `None` if it is none of [`TYPES`].
///
/// Source: RFC 2083 (PNG) section 3.1, ITU T.81 (JPEG) annex B, GIF89a section 17, RFC 9649 (WebP) section 2.4.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    let [png, jpeg, gif, webp] = TYPES;
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(png),
        [0xff, 0xd8, 0xff, ..] => Some(jpeg),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(gif),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(webp),
        _ => None,
    }
}

/// The number of a kept picture; it grows.
pub(super) type PictureId = u64;

/// The bytes of pictures, up to a sum; the oldest go first.
#[derive(Debug)]
pub(super) struct Pictures {
    kept: BTreeMap<PictureId, Bytes>,
    n_bytes: usize,
    max_bytes: usize,
    next: PictureId,
}

impl Pictures {
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self {
            kept: BTreeMap::new(),
            n_bytes: 0,
            max_bytes,
            next: 0,
        }
    }

    /// Keeps a picture, and drops old ones for it if need be.
    pub(super) fn add(&mut self, bytes: Bytes) -> PictureId {
        let id = self.next;
        self.next += 1;
        self.n_bytes += bytes.len();
        self.kept.insert(id, bytes);
        while self.n_bytes > self.max_bytes
            && let Some((_, oldest)) = self.kept.pop_first()
        {
            self.n_bytes -= oldest.len();
        }
        id
    }

    /// `None` if it was dropped.
    pub(super) fn get(&self, id: PictureId) -> Option<&Bytes> {
        self.kept.get(&id)
    }

    /// Drops the pictures of messages that nobody will ask for again.
    pub(super) fn remove(&mut self, ids: impl IntoIterator<Item = PictureId>) {
        for id in ids {
            if let Some(bytes) = self.kept.remove(&id) {
                self.n_bytes -= bytes.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kinds_are_told_by_the_first_bytes() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n"[..], Some("image/png")),
            (b"\x89PNG\r\n\x1a\n and more", Some("image/png")),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg")),
            (b"GIF87a", Some("image/gif")),
            (b"GIF89a\x01", Some("image/gif")),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some("image/webp")),
            (b"\x89PNG\r\n\x1a", None),
            (b"\x89PNG\n\x1a\n", None),
            (b"\xff\xd8", None),
            (b"GIF88a", None),
            (b"RIFF\x01\x02\x03\x04WAVE", None),
            (b"RIFFWEBP", None),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
            (b"<script>", None),
            (b"BM", None),
            (b"", None),
        ] {
            assert_eq!(kind(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_oldest_pictures_make_room() {
        let mut pictures = Pictures::new(10);
        let one = pictures.add(Bytes::from_static(b"1111"));
        let two = pictures.add(Bytes::from_static(b"2222"));
        assert!(pictures.get(one).is_some());
        let three = pictures.add(Bytes::from_static(b"333"));
        assert!(pictures.get(one).is_none());
        assert_eq!(pictures.get(two).unwrap(), "2222");
        pictures.remove([two, two, one]);
        assert_eq!(pictures.n_bytes, 3);
        assert_eq!(pictures.get(three).unwrap(), "333");
    }

    proptest! {
        #[test]
        fn the_sum_is_right_and_below_the_cap(steps in prop::collection::vec((0_usize..40, any::<bool>()), 0..100)) {
            let mut pictures = Pictures::new(100);
            let mut last = None;
            for (size, drop_last) in steps {
                last = match last {
                    Some(id) if drop_last => {
                        pictures.remove([id]);
                        None
                    }
                    _ => Some(pictures.add(vec![0; size].into())),
                };
                prop_assert_eq!(pictures.n_bytes, pictures.kept.values().map(Bytes::len).sum::<usize>());
                prop_assert!(pictures.n_bytes <= 100);
            }
        }
    }
}
