//! A picture for pages that draw Mermaid (<https://mermaid.js.org/syntax/flowchart.html>): tables, entities, topics.

use std::fmt::Write as _;

use crate::flow::event::Holds;
use crate::mapping::explained::Explained;

/// The picture.
pub(super) fn picture(all: &[Explained<'_>]) -> String {
    let mut out = "flowchart LR\n".to_owned();
    let mut add = |line: String| {
        // Writing to a string cannot fail.
        let _never = writeln!(out, "    {line}");
    };
    let (mut tables, mut topics): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (number, one) in all.iter().enumerate() {
        let table = place(&mut tables, one.table.name.to_string());
        if table.is_new {
            add(format!("table{}[({})]", table.at, quoted(&one.table.name.to_string())));
        }
        add(format!("entity{number}[{}]", quoted(&one.entity.name)));
        match &one.entity.filter {
            Some(filter) => add(format!(
                "table{} -->|{}| entity{number}",
                table.at,
                quoted(&filter.text)
            )),
            None => add(format!("table{} --> entity{number}", table.at)),
        }
        let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, topic, holds) in one.entity.told() {
            let name = if holds == Holds::States { "state" } else { name };
            match told.iter_mut().find(|(known, _)| *known == topic.text) {
                Some((_, names)) => names.push(name),
                None => told.push((&topic.text, vec![name])),
            }
        }
        for (name, kinds) in told {
            let topic = place(&mut topics, name.to_owned());
            if topic.is_new {
                add(format!("topic{}[/{}/]", topic.at, quoted(name)));
            }
            add(format!(
                "entity{number} -->|{}| topic{}",
                quoted(&kinds.join("\n")),
                topic.at
            ));
        }
    }
    out.trim_end().to_owned()
}

/// Where a name stands among those that were drawn.
struct Drawn {
    at: usize,
    is_new: bool,
}

fn place(drawn: &mut Vec<String>, name: String) -> Drawn {
    match drawn.iter().position(|known| *known == name) {
        Some(at) => Drawn { at, is_new: false },
        None => {
            drawn.push(name);
            Drawn {
                at: drawn.len() - 1,
                is_new: true,
            }
        }
    }
}

/// A text that Mermaid shows as it is.
fn quoted(text: &str) -> String {
    let text = text
        .replace('#', "#35;")
        .replace('"', "#quot;")
        .replace('<', "#lt;")
        .replace('>', "#gt;");
    format!("\"{}\"", text.replace('\n', "<br/>"))
}
