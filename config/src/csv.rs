//! A table as spreadsheets write it (RFC 4180, or with `;` or tabs), in which every cell knows its place.

use std::sync::Arc;

use csv_core::{ReadFieldResult, ReaderBuilder};

use crate::source::Span;

/// A cell, without the quotes and the blanks around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: Arc<str>,
    pub(crate) at: Span,
    /// Its quote is not closed, so that it holds the rest of the text.
    pub(crate) open: bool,
}

/// A row that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The number that a spreadsheet shows beside it, from 1.
    pub(crate) number: usize,
    pub(crate) cells: Vec<Cell>,
}

/// The rows of the text of the source `index`, the header among them.
pub(crate) fn rows(index: u32, text: &str) -> Vec<Row> {
    let delimiter = delimiter(text);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
    let mut field = vec![0; text.len() + 1];
    // The reader takes the `\r` of a line's end, and the `\n` with the next line.
    let (mut at, mut number, mut return_before) = (0, 0, false);
    let mut rows = Vec::new();
    let mut cells: Vec<Cell> = Vec::new();
    loop {
        let begin = at;
        let mut written = 0;
        let record_end = loop {
            let (result, read, filled) = reader.read_field(&text.as_bytes()[at..], &mut field[written..]);
            (at, written) = (at + read, written + filled);
            match result {
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::Field { record_end } => break record_end,
                // The buffer is longer than the text, so it is never full.
                ReadFieldResult::End | ReadFieldResult::OutputFull => return rows,
            }
        };
        let raw = text.get(begin..at).unwrap_or("");
        let unmarked = if begin == 0 { raw.strip_prefix('\u{feff}').unwrap_or(raw) } else { raw };
        let mut inner = unmarked;
        if cells.is_empty() {
            // Lines that are quite empty are no rows to the reader, but to a spreadsheet.
            inner = unmarked.trim_start_matches(['\r', '\n']);
            let breaks = unmarked[..unmarked.len() - inner.len()].matches('\n').count();
            number += 1 + breaks.saturating_sub(usize::from(return_before));
        }
        let lead = raw.len() - inner.len();
        return_before = record_end && raw.ends_with('\r');
        let inner = if record_end {
            inner.trim_end_matches(['\r', '\n'])
        } else {
            inner.strip_suffix(char::from(delimiter)).unwrap_or(inner)
        };
        let start = begin + lead + (inner.len() - inner.trim_start().len());
        let inner = inner.trim();
        cells.push(Cell {
            text: String::from_utf8_lossy(&field[..written]).trim().into(),
            at: Span { source: index, start: place(start), end: place(start + inner.len()) },
            open: inner.starts_with('"') && (inner.len() == 1 || !inner.ends_with('"')),
        });
        if record_end {
            let cells = std::mem::take(&mut cells);
            if cells.iter().any(|cell| !cell.text.is_empty()) {
                rows.push(Row { number, cells });
            }
        }
    }
}

fn place(byte: usize) -> u32 {
    u32::try_from(byte).unwrap_or(u32::MAX)
}

/// What stands between the cells: what is most often outside of quotes in the first line that is not empty.
fn delimiter(text: &str) -> u8 {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let bare = || line.split('"').step_by(2).flat_map(str::bytes);
    let count = |wanted: u8| bare().filter(|byte| *byte == wanted).count();
    // Of equals the last is taken: the comma.
    b"\t;,".iter().copied().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<(usize, Vec<String>)> {
        let texts = |row: Row| (row.number, row.cells.iter().map(|cell| cell.text.to_string()).collect());
        rows(0, text).into_iter().map(texts).collect()
    }

    #[test]
    fn the_habits_of_spreadsheets_are_understood() {
        let wanted = |numbers: [usize; 2]| {
            let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
            vec![(numbers[0], row(["name", "base"])), (numbers[1], row(["a; \"b\"", "1"]))]
        };
        assert_eq!(texts("name,base\n\"a; \"\"b\"\"\",1\n"), wanted([1, 2]));
        assert_eq!(texts("\u{feff}name;base\r\n\"a; \"\"b\"\"\";1\r\n"), wanted([1, 2]));
        assert_eq!(texts("name\tbase\n\n;\n\"a; \"\"b\"\"\"\t 1 "), {
            let mut rows = wanted([1, 4]);
            rows.insert(1, (3, vec![";".into()]));
            rows
        });
        assert_eq!(texts("name;base\r\n\r\n;\r\n\"a; \"\"b\"\"\";1\r\n"), wanted([1, 4]));
        assert_eq!(texts(""), []);
        assert_eq!(texts("\n\r\n;;\n"), []);
    }

    #[test]
    fn a_cell_over_several_lines_is_one_row() {
        let rows = texts("name,note\na,\"one\ntwo\"\nb,\n");
        assert_eq!(rows[2], (3, vec!["b".into(), String::new()]));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_known() {
        let rows = rows(0, "name,note\na,\"one\nb,two\n");
        assert!(rows[1].cells[1].open && !rows[0].cells[1].open);
    }

    proptest! {
        #[test]
        fn every_cell_lies_where_it_says(text in "[a-c,;\"\n\r\u{feff}\t é]{0,40}") {
            for cell in rows(0, &text).iter().flat_map(|row| &row.cells) {
                let shown = text.get(cell.at.start as usize..cell.at.end as usize);
                prop_assert!(shown.is_some(), "{:?}", cell);
                if let Some(plain) = shown.filter(|shown| !shown.contains('"')) {
                    prop_assert_eq!(plain, &*cell.text);
                }
            }
        }
    }
}
