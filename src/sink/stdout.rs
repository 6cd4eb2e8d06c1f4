//! One line a record: topic, key and value with tabs between, `null` for a tombstone.
//!
//! For looking, not for keeping: no position is stored, so that every start begins anew.

use std::io::{self, BufWriter, Stdout, Write};

use crate::backfill::sweep::{Found, Sweep};
use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::record::Records;
use crate::sink::{Progress, Sink, SinkError};

/// Writes lines.
#[derive(Debug)]
pub struct Lines<W: Write> {
    out: W,
    topics: Vec<String>,
    nonce: String,
    durable: Lsn,
}

impl Lines<BufWriter<Stdout>> {
    /// Lines to the standard output; topics in the order of their ids.
    pub fn stdout(topics: Vec<String>, nonce: String) -> Self {
        Self::new(BufWriter::new(io::stdout()), topics, nonce)
    }
}

impl<W: Write> Lines<W> {
    /// Lines to any writer.
    pub fn new(out: W, topics: Vec<String>, nonce: String) -> Self {
        Self {
            out,
            topics,
            nonce,
            durable: Lsn::INVALID,
        }
    }

    fn write(&mut self, records: &Records) -> io::Result<()> {
        for span in &records.spans {
            let topic = self.topics.get(usize::from(span.topic.0)).map_or("", String::as_str);
            self.out.write_all(topic.as_bytes())?;
            self.out.write_all(b"\t")?;
            self.out.write_all(records.part(&span.key))?;
            self.out.write_all(b"\t")?;
            self.out
                .write_all(span.value.as_ref().map_or(b"null", |value| records.part(value)))?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }
}

fn fault(error: io::Error) -> SinkError {
    if error.kind() != io::ErrorKind::BrokenPipe {
        return SinkError::Transient(format!("cannot write to the output: {error}"));
    }
    // No new attempt brings the reader back.
    SinkError::Halt(Box::new(
        Finding::error(
            Cause::Surroundings,
            "stdout.closed",
            "whoever read the output has closed it",
        )
        .because("what was not written is told by the next start")
        .repair("start it again, with a reader that stays"),
    ))
}

impl<W: Write> Sink for Lines<W> {
    fn recover(&mut self) -> Result<Option<Checkpoint>, SinkError> {
        Ok(None)
    }

    fn open(&mut self, checkpoint: &mut Checkpoint) -> Result<(), SinkError> {
        checkpoint.nonce.clone_from(&self.nonce);
        self.durable = checkpoint.commit_end_lsn;
        Ok(())
    }

    fn append(&mut self, mut records: Records) -> Result<Records, SinkError> {
        self.write(&records).map_err(fault)?;
        records.clear();
        Ok(records)
    }

    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<(), SinkError> {
        self.out.flush().map_err(fault)?;
        self.durable = checkpoint.commit_end_lsn;
        Ok(())
    }

    fn sweep(&mut self, _: &Sweep<'_>) -> Result<Option<Found>, SinkError> {
        // What was written is with its reader.
        Ok(Some(Found::default()))
    }

    fn progress(&mut self) -> Result<Progress, SinkError> {
        Ok(Progress {
            durable_lsn: self.durable,
            commits_in_flight: 0,
            settling: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::contract::{checkpoint, records};

    #[test]
    fn a_record_is_a_line() {
        let mut sink = Lines::new(Vec::new(), vec!["orders".to_owned()], "n".to_owned());
        assert_eq!(sink.recover().unwrap(), None);
        sink.open(&mut checkpoint(1)).unwrap();
        sink.append(records(&[("A", Some("{}")), ("B", None)], 2)).unwrap();
        sink.commit(&checkpoint(3)).unwrap();
        assert_eq!(String::from_utf8_lossy(&sink.out), "orders\tA\t{}\norders\tB\tnull\n");
        assert_eq!(sink.progress().unwrap().durable_lsn, Lsn(3));
    }
}
