//! Bytes to frames: whatever comes, however it is cut.

use proptest::prelude::{ProptestConfig, any, prop};
use proptest::{prop_assert_eq, proptest};

use crate::flow::change::Asked;
use crate::flow::position::Lsn;
use crate::source::SourceError;
use crate::source::postgres::connect::inbox::{Inbox, NoMessage, Peek};
use crate::source::postgres::connect::wire::Refused;
use crate::source::postgres::pgoutput::session::session;
use crate::source::postgres::stream::frame::{DATA_HEAD_BYTES, Frame, read};
use crate::source::postgres::stream::refusal::sort;

fn copy_data(body: &[u8]) -> Vec<u8> {
    let mut out = vec![b'd'];
    out.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend(body);
    out
}

fn data(message: &[u8]) -> Vec<u8> {
    let mut body = vec![b'w'];
    body.extend([0; 16]);
    body.extend(77i64.to_be_bytes());
    body.extend(message);
    copy_data(&body)
}

fn keepalive(end: u64, reply: u8) -> Vec<u8> {
    let mut body = vec![b'k'];
    body.extend(end.to_be_bytes());
    body.extend([0; 8]);
    body.push(reply);
    copy_data(&body)
}

/// Every body in `pieces`, put into the inbox one after the other.
fn bodies(inbox: &mut Inbox, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, NoMessage> {
    let mut out = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let room = inbox.room();
            let count = room.len().min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            inbox.filled(count);
            rest = &rest[count..];
            while let Peek::Whole { body, .. } = inbox.peek()? {
                out.push(inbox.get(body.clone()).to_vec());
                inbox.pass(&body);
            }
        }
    }
    Ok(out)
}

fn spoken() -> (Vec<u8>, Vec<Vec<u8>>) {
    let frames: Vec<Vec<u8>> = session()
        .iter()
        .map(|message| data(message))
        .chain([keepalive(9, 1)])
        .collect();
    let expected = frames.iter().map(|frame| frame[5..].to_vec()).collect();
    (frames.concat(), expected)
}

#[test]
fn messages_are_whole_wherever_the_bytes_are_cut_and_memory_goes_back_to_what_it_was() {
    let (bytes, expected) = spoken();
    let mut inbox = Inbox::new(256, 1 << 20);
    for at in 0..bytes.len() {
        let (front, back) = bytes.split_at(at);
        assert_eq!(bodies(&mut inbox, &[front, back]).unwrap(), expected, "cut at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(bodies(&mut inbox, &single).unwrap(), expected);
    assert!(
        inbox.room().len() <= 256 && inbox.memory_bytes() <= 4096,
        "{}",
        inbox.memory_bytes()
    );
}

#[test]
fn a_message_that_is_too_large_is_shown_and_takes_no_more_memory_than_is_allowed() {
    let mut inbox = Inbox::new(256, 1000);
    let big = data(&[b'I'; 100_000]);
    let mut rest = &big[..];
    for _ in 0..100 {
        let room = inbox.room();
        let count = room.len().min(rest.len()).min(50);
        room[..count].copy_from_slice(&rest[..count]);
        inbox.filled(count);
        rest = &rest[count..];
        let Peek::Part {
            tag: b'd',
            body_bytes,
            there,
        } = inbox.peek().unwrap()
        else {
            continue;
        };
        assert_eq!(body_bytes, 100_000 + DATA_HEAD_BYTES);
        if there.len() > DATA_HEAD_BYTES {
            assert_eq!(inbox.get(there)[DATA_HEAD_BYTES], b'I');
            assert!(inbox.memory_bytes() <= 2000);
            return;
        }
    }
    panic!("its beginning was never shown");
}

#[test]
fn frames_are_what_they_are_and_nothing_else() {
    assert_eq!(
        read(&keepalive(9, 1)[5..]),
        Frame::Keepalive {
            end_lsn: Lsn(9),
            asked: Asked::Yes
        }
    );
    assert_eq!(
        read(&keepalive(9, 0)[5..]),
        Frame::Keepalive {
            end_lsn: Lsn(9),
            asked: Asked::No
        }
    );
    assert_eq!(read(&data(b"C")[5..]), Frame::Data { sent_us: 77 });
    for bytes in [
        keepalive(9, 2),
        keepalive(9, 0)[..22].to_vec(),
        data(b"")[..29].to_vec(),
        copy_data(b"x"),
        copy_data(b""),
    ] {
        assert_eq!(read(&bytes[5..]), Frame::Nonsense, "{bytes:?}");
    }
    let mut long = keepalive(9, 0);
    long.push(0);
    assert_eq!(read(&long[5..]), Frame::Nonsense);
}

#[test]
fn what_ends_a_stream_is_sorted() {
    let fate = |state: &str| -> SourceError {
        sort(&Refused {
            state: state.to_owned(),
            message: "m".to_owned(),
        })
    };
    for state in [
        "57P01", "57P02", "57P03", "57P05", "08006", "53300", "58P01", "XX000", "55000", "0A000", "42601", "",
    ] {
        assert!(matches!(fate(state), SourceError::Transient(_)), "{state}");
    }
    for state in ["42704", "42501"] {
        assert!(matches!(fate(state), SourceError::Halt(_)), "{state}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), cut in any::<prop::sample::Index>()) {
        let at = cut.index(bytes.len() + 1);
        let mut inbox = Inbox::new(64, 512);
        let (front, back) = bytes.split_at(at);
        for piece in [front, back] {
            let room = inbox.room();
            let count = room.len().min(piece.len());
            room[..count].copy_from_slice(&piece[..count]);
            inbox.filled(count);
            while let Ok(Peek::Whole { body, .. }) = inbox.peek() {
                let frame = read(inbox.get(body.clone()));
                prop_assert_eq!(frame, read(inbox.get(body.clone())));
                inbox.pass(&body);
            }
            proptest::prop_assert!(inbox.memory_bytes() <= 1024);
        }
    }

    #[test]
    fn cuts_do_not_matter(sizes in prop::collection::vec(1..400usize, 1..200)) {
        let (bytes, expected) = spoken();
        let mut rest = &bytes[..];
        let mut pieces: Vec<&[u8]> = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break }
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            pieces.push(head);
            rest = tail;
        }
        prop_assert_eq!(bodies(&mut Inbox::new(128, 1 << 20), &pieces).unwrap(), expected);
    }
}
