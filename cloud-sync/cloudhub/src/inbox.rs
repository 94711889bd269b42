//! What a connection is told of desired values that were written elsewhere: merged, so that it never grows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cloud_store::Authored;
use tokio::sync::Notify;
use twin_core::{Cursor, Revision};

/// News for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct News {
    /// The last revision given.
    pub(crate) cursor: Option<Cursor>,
    /// The oldest and the newest deletion.
    pub(crate) tombstones: Option<(Revision, Revision)>,
    /// Something was missed: read again.
    pub(crate) missed: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    news: Mutex<News>,
    ring: Notify,
}

impl Inbox {
    pub(crate) fn authored(&self, authored: Authored) {
        let mut news = self.lock();
        let newer = news.cursor.is_none_or(|known| known.revision < authored.cursor.revision);
        if newer {
            news.cursor = Some(authored.cursor);
        }
        if let Some(at) = authored.tombstone {
            news.tombstones = Some(news.tombstones.map_or((at, at), |(a, b)| (a.min(at), b.max(at))));
        }
        drop(news);
        self.ring.notify_one();
    }

    pub(crate) fn missed(&self) {
        self.lock().missed = true;
        self.ring.notify_one();
    }

    /// Waits for news; nothing is lost when it is dropped while waiting.
    pub(crate) async fn news(&self) -> News {
        loop {
            let news = std::mem::take(&mut *self.lock());
            if news != News::default() {
                return news;
            }
            self.ring.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twin_core::Incarnation;

    #[tokio::test]
    async fn news_that_nobody_has_fetched_are_merged() {
        let inbox = Inbox::default();
        let at = |n| Cursor { incarnation: Incarnation::new(1), revision: Revision::new(n) };
        for (revision, tombstone) in [(3, Some(3)), (5, Some(5)), (4, None)] {
            inbox.authored(Authored { cursor: at(revision), tombstone: tombstone.map(Revision::new) });
        }
        inbox.missed();
        let tombstones = Some((Revision::new(3), Revision::new(5)));
        assert_eq!(inbox.news().await, News { cursor: Some(at(5)), tombstones, missed: true });
    }
}
