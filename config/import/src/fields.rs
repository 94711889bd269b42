//! A map whose keys are asked for one by one, so that those nobody asked for can be listed.

use std::cell::RefCell;

use crate::read::Node;
use crate::report::Report;

/// A map in a file, and what was asked of it.
pub(crate) struct Fields<'a> {
    node: &'a Node,
    /// The file and the line, and after that the path.
    file: &'a str,
    path: String,
    asked: RefCell<Vec<&'a str>>,
}

impl<'a> Fields<'a> {
    /// The map at `path`; nothing, and a line in the report, where no map stands there.
    pub(crate) fn of(node: &'a Node, file: &'a str, path: &str, report: &mut Report) -> Option<Self> {
        let fields = Self { node, file, path: path.to_owned(), asked: RefCell::default() };
        if node.entries().is_none() {
            report.left(fields.place(), "a map is wanted here");
            return None;
        }
        Some(fields)
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> String {
        place(self.file, self.node, &self.path)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What stands under `key`, whatever it is.
    pub(crate) fn get(&self, key: &'a str) -> Option<&'a Node> {
        self.asked.borrow_mut().push(key);
        self.node.get(key)
    }

    /// The map under `key`.
    pub(crate) fn map(&self, key: &'a str, report: &mut Report) -> Option<Fields<'a>> {
        Fields::of(self.get(key)?, self.file, &self.below(key), report)
    }

    /// The maps in the list under `key`; a single map stands for a list of one.
    pub(crate) fn maps(&self, key: &'a str, report: &mut Report) -> Vec<Fields<'a>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let path = self.below(key);
        let Some(items) = node.items() else {
            return Fields::of(node, self.file, &path, report).into_iter().collect();
        };
        let item = |(index, node)| Fields::of(node, self.file, &format!("{path}[{index}]"), report);
        items.iter().enumerate().filter_map(item).collect()
    }

    pub(crate) fn text(&self, key: &'a str, report: &mut Report) -> Option<&'a str> {
        self.read(key, "a text", Node::text, report)
    }

    pub(crate) fn int(&self, key: &'a str, report: &mut Report) -> Option<i64> {
        self.read(key, "a whole number", Node::int, report)
    }

    pub(crate) fn float(&self, key: &'a str, report: &mut Report) -> Option<f64> {
        self.read(key, "a number", Node::float, report)
    }

    pub(crate) fn bool(&self, key: &'a str, report: &mut Report) -> Option<bool> {
        self.read(key, "true or false", Node::bool, report)
    }

    fn read<T>(
        &self,
        key: &'a str,
        what: &str,
        read: impl Fn(&'a Node) -> Option<T>,
        report: &mut Report,
    ) -> Option<T> {
        let node = self.get(key)?;
        let value = read(node);
        if value.is_none() {
            report.left(place(self.file, node, &self.below(key)), format!("{what} is wanted here"));
        }
        value
    }

    /// The first of these keys that holds something.
    pub(crate) fn first<T>(&self, keys: &[&'a str], read: impl Fn(&str) -> Option<T>) -> Option<T> {
        keys.iter().find_map(|key| {
            self.asked.borrow_mut().push(key);
            read(self.node.get(key)?.text()?)
        })
    }

    /// The same place one key further.
    pub(crate) fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A line in the report about what stands under `key`.
    pub(crate) fn left(&self, key: &str, what: impl std::fmt::Display, report: &mut Report) {
        let node = self.node.get(key).unwrap_or(self.node);
        report.left(place(self.file, node, &self.below(key)), what);
    }

    /// Says that these keys mean nothing here by their nature.
    pub(crate) fn pass_over(&self, keys: &[&'a str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// Lists what nobody asked for.
    pub(crate) fn finish(self, report: &mut Report) {
        let asked = self.asked.borrow();
        let entries = self.node.entries().unwrap_or(&[]).iter();
        let unknown: Vec<&str> = entries
            .filter(|(key, node)| !asked.contains(&key.as_str()) && !node.is_null())
            .map(|(key, _)| key.as_str())
            .collect();
        if !unknown.is_empty() {
            report.left(self.place(), format!("no counterpart here: {}", unknown.join(", ")));
        }
    }
}

/// `devices.yaml:12 (deviceList[0])`, or without the line where the kind of file has none.
pub(crate) fn place(file: &str, node: &Node, path: &str) -> String {
    let line = if node.line > 0 { format!(":{}", node.line) } else { String::new() };
    if path.is_empty() { format!("{file}{line}") } else { format!("{file}{line} ({path})") }
}
