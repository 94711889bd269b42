//! Users and groups, as `/etc/passwd` and `/etc/group` have them.

/// A user, with the groups that its processes are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// Its name, or its number where it has none.
    pub name: String,
    /// The numbers of its groups.
    pub gids: Vec<u32>,
}

impl Account {
    /// The user with this number.
    #[must_use]
    pub fn of(uid: u32, passwd: &str, group: &str) -> Self {
        let fields = |line: &str| line.split(':').map(ToOwned::to_owned).collect::<Vec<_>>();
        let entry =
            passwd.lines().map(fields).find(|entry| entry.get(2).is_some_and(|n| *n == uid.to_string()));
        let name = entry.as_ref().map_or_else(|| uid.to_string(), |entry| entry[0].clone());
        let own = entry.as_ref().and_then(|entry| entry.get(3)?.parse().ok());
        let in_it =
            |entry: &Vec<String>| entry.get(3).is_some_and(|members| members.split(',').any(|m| m == name));
        let others = group.lines().map(fields).filter(in_it).filter_map(|entry| entry.get(2)?.parse().ok());
        let gids = own.into_iter().chain(others).collect();
        Self { uid, name, gids }
    }

    /// Whether it may do everything.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether it may read and write a file with this owner, group and mode.
    #[must_use]
    pub fn may_use(&self, uid: u32, gid: u32, mode: u32) -> bool {
        let bits = if uid == self.uid {
            mode >> 6
        } else if self.gids.contains(&gid) {
            mode >> 3
        } else {
            mode
        };
        self.is_root() || bits & 0o6 == 0o6
    }
}

/// The name of a group, or its number where it has none.
#[must_use]
pub fn group_name(gid: u32, group: &str) -> String {
    let number = gid.to_string();
    let found = group.lines().find(|line| line.split(':').nth(2) == Some(&number));
    found.and_then(|line| line.split(':').next()).map_or(number.clone(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\ntwinspan:x:999:998::/var/lib/twinspan:/usr/sbin/nologin\n";
    const GROUP: &str = "root:x:0:\ndialout:x:20:anna,twinspan\ntwinspan:x:998:\nbroken\n";

    #[test]
    fn a_user_may_what_its_groups_may() {
        let user = Account::of(999, PASSWD, GROUP);
        assert_eq!((user.name.as_str(), user.gids.as_slice()), ("twinspan", [998, 20].as_slice()));
        assert!(user.may_use(0, 20, 0o660) && !user.may_use(0, 5, 0o660) && user.may_use(999, 5, 0o600));
        assert!(!user.may_use(0, 20, 0o640), "to read is not enough");
        let nobody = Account::of(4_711, PASSWD, GROUP);
        assert_eq!((nobody.name.as_str(), nobody.gids.len()), ("4711", 0));
        assert!(Account::of(0, PASSWD, GROUP).may_use(5, 5, 0));
        assert_eq!((group_name(20, GROUP), group_name(21, GROUP)), ("dialout".into(), "21".into()));
    }
}
