//! Tables as spreadsheets write them: RFC 4180, or with `;` or tabs.

use config::Source;
use csv_core::{ReadFieldResult, ReaderBuilder};

use super::{Unreadable, bounded};

/// The most rows of a table.
const MAX_ROWS: usize = 200_000;
/// The most columns of a table.
const MAX_COLUMNS: usize = 2_000;

/// A table: the names of its columns, and its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// A row that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The number that a spreadsheet shows beside it, from 1.
    pub(crate) number: usize,
    pub(crate) cells: Vec<String>,
}

/// Reads a table; its first row that is not empty names the columns.
pub(crate) fn table(source: &Source) -> Result<Table, Unreadable> {
    let text = bounded(source)?;
    let mut rows = rows(text).map_err(|why| Unreadable::new(source, why))?.into_iter();
    let Some(first) = rows.next() else { return Err(Unreadable::new(source, "the table is empty")) };
    let header: Vec<String> = first.cells.iter().map(|cell| cell.trim().to_owned()).collect();
    for (index, name) in header.iter().enumerate().filter(|(_, name)| !is_passed_over(name)) {
        if header[..index].contains(name) {
            let why = format!("row {}, column {name}: the column stands here a second time", first.number);
            return Err(Unreadable::new(source, why));
        }
    }
    let rows: Vec<Row> = rows.collect();
    for row in &rows {
        if row.cells.iter().skip(header.len()).any(|cell| !cell.trim().is_empty()) {
            let why = format!("row {}: a cell stands under none of the {} columns", row.number, header.len());
            return Err(Unreadable::new(source, why));
        }
    }
    Ok(Table { header, rows })
}

/// Whether a column is for people only.
fn is_passed_over(name: &str) -> bool {
    name.is_empty() || name.starts_with('#')
}

impl Table {
    /// The cells of a row that hold something, with the names of their columns.
    pub(crate) fn cells<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a str, &'a str)> {
        let cells = self.header.iter().map(String::as_str).zip(row.cells.iter().map(String::as_str));
        cells.filter(|(name, cell)| !is_passed_over(name) && !cell.trim().is_empty())
    }

    /// The cell of a row in a column, without the blanks around it; nothing where it is empty.
    pub(crate) fn cell<'a>(&'a self, row: &'a Row, column: &str) -> Option<&'a str> {
        self.cells(row).find(|(name, _)| name.eq_ignore_ascii_case(column)).map(|(_, cell)| cell.trim())
    }
}

fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut reader = ReaderBuilder::new().delimiter(delimiter(text)).build();
    let mut field = vec![0; text.len() + 1];
    // The reader takes the `\r` of a line's end, and the `\n` with the next line.
    let (mut at, mut number, mut return_before) = (0, 0, false);
    let (mut rows, mut cells) = (Vec::new(), Vec::new());
    loop {
        let (begin, mut written) = (at, 0);
        let record_end = loop {
            let (result, read, filled) = reader.read_field(&text.as_bytes()[at..], &mut field[written..]);
            (at, written) = (at + read, written + filled);
            match result {
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::Field { record_end } => break record_end,
                // The buffer is longer than the text, so it is never full.
                ReadFieldResult::End | ReadFieldResult::OutputFull => return Ok(rows),
            }
        };
        let raw = text.get(begin..at).unwrap_or("");
        if cells.is_empty() {
            let lead = raw.len() - raw.trim_start_matches(['\r', '\n']).len();
            let breaks = raw[..lead].matches('\n').count();
            number += 1 + breaks.saturating_sub(usize::from(return_before));
        }
        return_before = record_end && raw.ends_with('\r');
        if raw.matches('"').count() % 2 == 1 && raw.trim_start().starts_with('"') {
            return Err(format!("row {number}: a quote is not closed"));
        }
        cells.push(String::from_utf8_lossy(&field[..written]).into_owned());
        if cells.len() > MAX_COLUMNS {
            return Err(format!("row {number}: it has more than {MAX_COLUMNS} cells"));
        }
        if record_end {
            let cells: Vec<String> = std::mem::take(&mut cells);
            if cells.iter().any(|cell| !cell.trim().is_empty()) {
                rows.push(Row { number, cells });
            }
            if rows.len() > MAX_ROWS {
                return Err(format!("it has more than {MAX_ROWS} rows"));
            }
        }
    }
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

    fn read(text: &str) -> Result<Table, Unreadable> {
        table(&Source::new("t.csv", text))
    }

    #[test]
    fn a_table_with_semicolons_and_a_byte_order_mark_is_read_and_rows_are_counted_as_shown() {
        let table = read("\u{feff}name;note\r\na;\"one\r\ntwo; \"\"x\"\"\"\r\n\r\nb;\r\n").unwrap();
        assert_eq!(table.header, ["name", "note"]);
        assert_eq!(table.rows[0].cells[1], "one\r\ntwo; \"x\"");
        assert_eq!((table.rows[0].number, table.rows[1].number), (2, 4));
        assert_eq!(table.cells(&table.rows[1]).collect::<Vec<_>>(), [("name", "b")]);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_row() {
        assert_eq!(read("").unwrap_err().why, "the table is empty");
        assert_eq!(read("a,b\n1,\"2\n").unwrap_err().why, "row 2: a quote is not closed");
        assert_eq!(read("a,a\n").unwrap_err().why, "row 1, column a: the column stands here a second time");
        assert!(read("a,b\n1,2,3\n").unwrap_err().why.starts_with("row 2: a cell stands under none"));
    }
}
