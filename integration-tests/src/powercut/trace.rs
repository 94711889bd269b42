//! What `strace` has written, as events on files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// A file, whatever its name is at the time.
pub(super) type Inode = usize;

/// Something that happens to a disk, or an acknowledgement. The order is the one in which the calls ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A new file.
    Name {
        name: String,
        inode: Inode,
    },
    Write {
        inode: Inode,
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        inode: Inode,
        length: usize,
    },
    /// All events before `begun` are on the disk, of this file.
    Sync {
        inode: Inode,
        begun: usize,
    },
    Unlink {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// All names from before `begun` are on the disk.
    SyncFolder {
        begun: usize,
    },
    /// The writer has acknowledged this.
    Ack(String),
}

enum Open {
    File(Inode),
    Folder,
}

struct Reader {
    data: PathBuf,
    events: Vec<Event>,
    names: HashMap<String, Inode>,
    inodes: usize,
    open: HashMap<i64, Open>,
    /// Calls that have begun and not ended, by thread, with how many events there were.
    begun: HashMap<String, (String, usize)>,
}

/// Reads a recording; files outside of `data` do not matter.
pub(super) fn read(trace: &Path, data: &Path) -> anyhow::Result<Vec<Event>> {
    let text = std::fs::read_to_string(trace)?;
    let mut reader = Reader {
        data: data.to_owned(),
        events: Vec::new(),
        names: HashMap::new(),
        inodes: 0,
        open: HashMap::new(),
        begun: HashMap::new(),
    };
    for line in text.lines() {
        let cut: String = line.chars().take(200).collect();
        reader.line(line).with_context(|| format!("cannot read the recorded call {cut}"))?;
    }
    Ok(reader.events)
}

impl Reader {
    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        let Some((thread, rest)) = line.split_once(' ') else { return Ok(()) };
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            return Ok(());
        }
        if let Some(call) = rest.strip_suffix("<unfinished ...>") {
            self.begun.insert(thread.to_owned(), (call.trim_end().to_owned(), self.events.len()));
            // An acknowledgement counts from when it begins.
            if let Some(ack) = acknowledgement(call)? {
                self.events.push(Event::Ack(ack));
            }
            return Ok(());
        }
        if rest.starts_with("<...") {
            let Some((call, begun)) = self.begun.remove(thread) else { return Ok(()) };
            let Some((_, end)) = rest.split_once("resumed>") else { return Ok(()) };
            if acknowledgement(&call)?.is_some() {
                return Ok(());
            }
            return self.call(&format!("{call}{end}"), begun);
        }
        if let Some(ack) = acknowledgement(rest)? {
            self.events.push(Event::Ack(ack));
            return Ok(());
        }
        self.call(rest, self.events.len())
    }

    fn call(&mut self, call: &str, begun: usize) -> anyhow::Result<()> {
        let Some((name, rest)) = call.split_once('(') else { return Ok(()) };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return Ok(()) };
        let result: i64 = result.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(-1);
        if result < 0 {
            return Ok(());
        }
        let arguments = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
        let arguments: Vec<&str> = arguments.split(", ").collect();
        let argument = |n: usize| arguments.get(n).copied().unwrap_or_default();
        match name {
            "openat" => self.opened(argument(1), argument(2), result),
            "open" => self.opened(argument(0), argument(1), result),
            "creat" => self.opened(argument(0), "O_CREAT|O_TRUNC", result),
            "close" => {
                self.open.remove(&number(argument(0))?);
                Ok(())
            }
            "pwrite64" => {
                let Some(inode) = self.file(argument(0))? else { return Ok(()) };
                let mut data = bytes(argument(1))?;
                data.truncate(usize::try_from(result)?);
                let offset = usize::try_from(number(argument(3))?)?;
                self.events.push(Event::Write { inode, offset, data });
                Ok(())
            }
            "write" | "writev" | "pwritev" | "fallocate" => match self.file(argument(0))? {
                Some(_) => bail!("a call that the model does not know"),
                None => Ok(()),
            },
            "ftruncate" => {
                let Some(inode) = self.file(argument(0))? else { return Ok(()) };
                let length = usize::try_from(number(argument(1))?)?;
                self.events.push(Event::Truncate { inode, length });
                Ok(())
            }
            "fsync" | "fdatasync" => {
                match self.open.get(&number(argument(0))?) {
                    Some(Open::File(inode)) => self.events.push(Event::Sync { inode: *inode, begun }),
                    Some(Open::Folder) => self.events.push(Event::SyncFolder { begun }),
                    None => {}
                }
                Ok(())
            }
            "unlink" => self.unlinked(argument(0)),
            "unlinkat" => self.unlinked(argument(1)),
            "rename" => self.renamed(argument(0), argument(1)),
            "renameat" | "renameat2" => self.renamed(argument(1), argument(3)),
            _ => Ok(()),
        }
    }

    fn opened(&mut self, path: &str, flags: &str, descriptor: i64) -> anyhow::Result<()> {
        self.open.remove(&descriptor);
        let path = path_of(path)?;
        if path == self.data {
            self.open.insert(descriptor, Open::Folder);
            return Ok(());
        }
        let Some(name) = self.name(&path) else { return Ok(()) };
        let inode = match self.names.get(&name) {
            Some(inode) => *inode,
            None => {
                let inode = self.inodes;
                self.inodes += 1;
                self.names.insert(name.clone(), inode);
                self.events.push(Event::Name { name, inode });
                inode
            }
        };
        if flags.contains("O_TRUNC") {
            self.events.push(Event::Truncate { inode, length: 0 });
        }
        self.open.insert(descriptor, Open::File(inode));
        Ok(())
    }

    fn unlinked(&mut self, path: &str) -> anyhow::Result<()> {
        if let Some(name) = self.name(&path_of(path)?) {
            self.names.remove(&name);
            self.events.push(Event::Unlink { name });
        }
        Ok(())
    }

    fn renamed(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        if let (Some(from), Some(to)) = (self.name(&path_of(from)?), self.name(&path_of(to)?)) {
            if let Some(inode) = self.names.remove(&from) {
                self.names.insert(to.clone(), inode);
            }
            self.events.push(Event::Rename { from, to });
        }
        Ok(())
    }

    fn file(&self, descriptor: &str) -> anyhow::Result<Option<Inode>> {
        Ok(match self.open.get(&number(descriptor)?) {
            Some(Open::File(inode)) => Some(*inode),
            Some(Open::Folder) | None => None,
        })
    }

    /// The name of a file in the folder. The memory that SQLite's connections share is made anew after a cut.
    fn name(&self, path: &Path) -> Option<String> {
        let name = path.strip_prefix(&self.data).ok()?.to_str()?.to_owned();
        (!name.ends_with("-shm")).then_some(name)
    }
}

/// The writer acknowledges on its standard output.
fn acknowledgement(call: &str) -> anyhow::Result<Option<String>> {
    let Some(rest) = call.strip_prefix("write(1, ") else { return Ok(None) };
    let text = String::from_utf8(bytes(rest.split(", ").next().unwrap_or_default())?)?;
    Ok(Some(text.trim().to_owned()))
}

fn number(text: &str) -> anyhow::Result<i64> {
    let digits: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
    Ok(digits.parse()?)
}

fn path_of(text: &str) -> anyhow::Result<PathBuf> {
    Ok(PathBuf::from(String::from_utf8(bytes(text)?)?))
}

/// `"\x61\x62"`.
fn bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    if text.ends_with("...") {
        bail!("the recording cut it off");
    }
    let inner = text.trim_matches('"');
    let mut bytes = Vec::with_capacity(inner.len() / 4);
    for pair in inner.split("\\x").skip(1) {
        bytes.push(u8::from_str_radix(pair, 16)?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_several_threads_are_put_together() {
        let hex = |text: &str| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
        let text = format!(
            "7 openat(AT_FDCWD, \"{}\", O_RDWR|O_CREAT, 0644) = 5\n\
             8 pwrite64(5, \"{}\", 3, 4096 <unfinished ...>\n\
             7 fdatasync(5 <unfinished ...>\n\
             8 <... pwrite64 resumed>) = 2\n\
             7 <... fdatasync resumed>) = 0\n\
             7 write(1, \"{}\", 6) = 6\n\
             7 pwrite64(5, \"\\x00\", 1, 0) = -1 ENOSPC (No space left on device)\n\
             7 unlink(\"{}\") = 0\n7 +++ exited with 0 +++\n",
            hex("/d/a.db"),
            hex("abc"),
            hex("ack 1\n"),
            hex("/d/a.db"),
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace");
        std::fs::write(&file, text).unwrap();
        let events = read(&file, Path::new("/d")).unwrap();
        assert_eq!(
            events,
            [
                Event::Name { name: "a.db".into(), inode: 0 },
                Event::Write { inode: 0, offset: 4096, data: b"ab".to_vec() },
                Event::Sync { inode: 0, begun: 1 },
                Event::Ack("ack 1".into()),
                Event::Unlink { name: "a.db".into() },
            ],
            "the sync began before the write had ended"
        );
    }
}
