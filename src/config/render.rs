//! Findings as a person reads them: file, line, caret, hint.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::finding::{Finding, Place, Severity};

use super::Sources;

/// Whether a terminal's colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// Draws a finding: with the lines it points at where it has a place in one of the files, plainly otherwise.
pub fn render(finding: &Finding, sources: &Sources, colour: Colour) -> String {
    let drawn = finding
        .place
        .as_ref()
        .and_then(|place| Some((place, sources.text(&place.file)?)));
    match drawn {
        Some((place, text)) => draw(finding, place, text, colour),
        None => finding.to_string(),
    }
}

fn draw(finding: &Finding, place: &Place, text: &str, colour: Colour) -> String {
    let level = match finding.severity {
        Severity::Note => Level::NOTE,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let snippet = Snippet::source(text)
        .path(&*place.file)
        .annotation(AnnotationKind::Primary.span(within(text, &place.span)));
    let mut group: Group<'_> = level.primary_title(&finding.what).element(snippet);
    if let Some(why) = &finding.why {
        group = group.element(Level::NOTE.with_name("why").message(why));
    }
    if let Some(repair) = &finding.repair {
        group = group.element(Level::HELP.with_name("hint").message(repair));
    }
    let renderer = match colour {
        Colour::Yes => Renderer::styled(),
        Colour::No => Renderer::plain(),
    };
    renderer.render(&[group])
}

/// The first line of a span, cut to what is really there.
fn within(text: &str, span: &Range<usize>) -> Range<usize> {
    let fits = |at: usize| {
        (0..=at.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0)
    };
    let (start, end) = (fits(span.start), fits(span.end));
    let first = text.get(start..end).unwrap_or("");
    // Carets under a table of twenty lines would hide what they point at.
    start..start + first.find('\n').unwrap_or(first.len())
}
