//! The status page: everything it needs is in it, and it fetches itself again.

use std::fmt;

use crate::telemetry::{Age, Bytes, Grouped, Progress, Report, State, Told};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub(super) fn render(report: &Report, ready: &Result<(), String>) -> String {
    let name = Escaped(&report.name);
    let state = report.state.word();
    let records: u64 = report.events.iter().map(|event| event.records).sum();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}: {state}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript><style>{STYLE}</style></head>\n\
         <body><main data-records=\"{records}\"><header><h1>{name}</h1><span class=\"pill {}\">{state}</span>\
         <span class=\"quiet\">walbridge {} · up {} · {state} for {}</span></header>\n",
        mood(report.state, ready),
        Escaped(&report.version),
        Age(report.up_seconds),
        Age(report.state_seconds),
    );
    notes(report, ready, &mut page);
    tiles(report, records, &mut page);
    page.push_str(
        "<section class=\"card\"><h2>Records per second: <span id=\"rate\">–</span></h2>\
         <svg viewBox=\"0 0 120 40\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><polyline points=\"\"/></svg></section>\n",
    );
    old_rows(report, &mut page);
    entities(report, &mut page);
    events(report, &mut page);
    page.push_str("</main><script>");
    page.push_str(SCRIPT);
    page.push_str("</script></body></html>\n");
    page
}

fn mood(state: State, ready: &Result<(), String>) -> &'static str {
    match state {
        State::Halted => "bad",
        State::Streaming if ready.is_ok() => "good",
        State::Streaming | State::Starting | State::Waiting | State::Retrying | State::Stopping => "wait",
    }
}

fn notes(report: &Report, ready: &Result<(), String>, page: &mut String) {
    if let (Err(reason), None) = (ready, &report.last_halt) {
        note("wait", "Not ready", reason, page);
    }
    if report.state == State::Waiting {
        note(
            "wait",
            "Waiting",
            "another bridge of this name holds the slot; this one takes over when that one goes",
            page,
        );
    }
    if let Some(halt) = &report.last_halt {
        note(
            "bad",
            &format!("Halted {} ago", Age(halt.seconds_ago)),
            &halt.what,
            page,
        );
    }
    if let Some(Told {
        seconds_ago,
        reason,
        what,
    }) = &report.last_restart
    {
        let times = Grouped(report.restarts);
        let title = format!(
            "Began again {} ago ({}), {times} in all",
            Age(*seconds_ago),
            Escaped(reason)
        );
        note("quiet", &title, what, page);
    }
}

fn note(mood: &str, title: &str, text: &str, page: &mut String) {
    let text = Escaped(text);
    page.push_str(&format!(
        "<section class=\"card note {mood}\"><h2>{title}</h2><p>{text}</p></section>\n"
    ));
}

fn tiles(report: &Report, records: u64, page: &mut String) {
    let position = report.position;
    let heard = report.heard_seconds_ago.map_or_else(
        || "nothing heard yet".to_owned(),
        |ago| format!("server heard {} ago", Age(ago)),
    );
    let (kept, left) = report.slot.map_or_else(
        || ("–".to_owned(), "not told yet".to_owned()),
        |slot| {
            let left = slot
                .safe_bytes
                .map(|bytes| format!("{} until the slot is lost", Bytes(bytes)));
            (
                Bytes(slot.retained_bytes).to_string(),
                left.unwrap_or_else(|| "no limit on the server".to_owned()),
            )
        },
    );
    let (high, low) = (position.durable >> 32, position.durable & 0xFFFF_FFFF);
    page.push_str("<section class=\"tiles\">");
    for (title, big, small) in [
        ("Lag", format!("{:.1} s", report.lag_seconds), heard),
        (
            "Log not in Kafka yet",
            Bytes(report.lag_bytes).to_string(),
            format!("in Kafka up to <code>{high:X}/{low:X}</code>"),
        ),
        ("Log the server keeps for us", kept, left),
        (
            "Transactions",
            Grouped(report.transactions).to_string(),
            format!("{} records", Grouped(records)),
        ),
    ] {
        page.push_str(&format!(
            "<div class=\"card\"><h2>{title}</h2><div class=\"big\">{big}</div><div class=\"quiet\">{small}</div></div>"
        ));
    }
    page.push_str("</section>\n");
}

/// A bar for every entity whose old rows are being told.
fn old_rows(report: &Report, page: &mut String) {
    let mut under_way = report.backfill.iter().filter(|one| one.state.is_under_way()).peekable();
    if under_way.peek().is_none() {
        return;
    }
    page.push_str(
        "<section class=\"card scroll\"><h2>Old rows</h2><table><tr><th>Entity<th class=\"n\">generation<th>\
         <th class=\"bars\"><th class=\"n\">rows<th class=\"n\">of<th class=\"n\">a second<th class=\"n\">left</tr>",
    );
    for one in under_way {
        let (entity, state) = (Escaped(&one.entity), one.state.word());
        let generation = one.generation.unwrap_or_default();
        // Without a value it is a bar that only says that something goes on.
        let value = one
            .percent()
            .map_or_else(String::new, |percent| format!(" value=\"{percent}\""));
        let (rows, of, rate, left) = (Grouped(one.rows), estimate(one), number(one.rows_per_second), left(one));
        page.push_str(&format!(
            "<tr><td>{entity}<td class=\"n\">{generation}<td>{state}<td class=\"bars\"><progress max=\"100\"{value}></progress>\
             <td class=\"n\">{rows}<td class=\"n quiet\">{of}<td class=\"n quiet\">{rate}<td class=\"n quiet\">{left}</tr>"
        ));
    }
    page.push_str("</table></section>\n");
}

fn estimate(one: &Progress) -> String {
    match (one.rows_estimate, one.has_condition) {
        (None, _) => "not counted".to_owned(),
        (Some(rows), false) => format!("about {}", Grouped(rows)),
        (Some(rows), true) => format!("some of about {}", Grouped(rows)),
    }
}

fn number(rows_per_second: Option<u64>) -> String {
    rows_per_second.map_or_else(|| "–".to_owned(), |rows| format!("about {}", Grouped(rows)))
}

fn left(one: &Progress) -> String {
    let left = one.seconds_left.map(|seconds| format!("about {}", Age::of(seconds)));
    left.unwrap_or_else(|| "–".to_owned())
}

fn entities(report: &Report, page: &mut String) {
    page.push_str(
        "<section class=\"card scroll\"><h2>Row changes</h2><table><tr><th>Entity<th class=\"n\">inserts\
         <th class=\"n\">updates<th class=\"n\">deletes<th class=\"n\">told nothing<th class=\"n\">old rows<th class=\"n\">still to \
         be read</tr>",
    );
    for count in &report.entities {
        let numbers = [
            count.inserts,
            count.updates,
            count.deletes,
            count.suppressed,
            count.old_rows,
        ];
        let cells: String = numbers
            .map(|number| format!("<td class=\"n\">{}", Grouped(number)))
            .concat();
        let remaining = count.remaining_rows.map(|rows| format!("about {}", Grouped(rows)));
        let remaining = remaining.unwrap_or_default();
        page.push_str(&format!(
            "<tr><td>{}{cells}<td class=\"n quiet\">{remaining}</tr>",
            Escaped(&count.entity)
        ));
    }
    page.push_str("</table></section>\n");
}

fn events(report: &Report, page: &mut String) {
    page.push_str(
        "<section class=\"card scroll\"><h2>Records</h2><table><tr><th>Event<th>Entity<th>Topic\
         <th class=\"n\">records</tr>",
    );
    for count in &report.events {
        let (event, entity, topic) = (Escaped(&count.event), Escaped(&count.entity), Escaped(&count.topic));
        let state = if count.event == count.entity {
            " <span class=\"quiet\">(state)</span>"
        } else {
            ""
        };
        let records = Grouped(count.records);
        page.push_str(&format!(
            "<tr><td>{event}{state}<td>{entity}<td><code>{topic}</code><td class=\"n\">{records}</tr>"
        ));
    }
    page.push_str("</table></section>\n");
}

/// Text that is no markup.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.split_inclusive(['&', '<', '>', '"', '\'']);
        parts.try_for_each(|part| {
            let plain = part.trim_end_matches(['&', '<', '>', '"', '\'']);
            f.write_str(plain)?;
            match part.strip_prefix(plain) {
                Some("&") => f.write_str("&amp;"),
                Some("<") => f.write_str("&lt;"),
                Some(">") => f.write_str("&gt;"),
                Some("\"") => f.write_str("&quot;"),
                Some("'") => f.write_str("&#39;"),
                Some(_) | None => Ok(()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Age, Bytes, Escaped, Grouped};

    #[test]
    fn numbers_and_words_are_for_people() {
        assert_eq!(Grouped(999).to_string(), "999");
        assert_eq!(Grouped(1_002_003).to_string(), "1,002,003");
        assert_eq!(Bytes(1023).to_string(), "1023 B");
        assert_eq!(Bytes(1536).to_string(), "1.5 KiB");
        assert_eq!(Bytes(u64::MAX).to_string(), "16777215.9 TiB");
        assert_eq!(Age(59.9).to_string(), "59 s");
        assert_eq!(Age(3_725.0).to_string(), "1 h 2 min");
        assert_eq!(Age(f64::NAN).to_string(), "0 s");
        assert_eq!(
            Escaped("<b a='1'>&\"x\"&&</b>").to_string(),
            "&lt;b a=&#39;1&#39;&gt;&amp;&quot;x&quot;&amp;&amp;&lt;/b&gt;"
        );
    }
}
