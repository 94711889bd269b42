use super::*;

fn peer(address: &str, tls: bool, common_name: Option<&str>) -> Peer {
    Peer { address: address.parse().unwrap(), tls, common_name: common_name.map(str::to_owned) }
}

fn local() -> Peer {
    peer("127.0.0.1:5000", false, None)
}

fn remote() -> Peer {
    peer("192.0.2.7:5000", true, None)
}

fn users() -> [(String, User); 4] {
    let devices = ["oven", "hall/fan"].map(|name| name.parse().unwrap());
    [
        ("alice", User::new(Some("secret"), UserRights::Operator)),
        ("eve", User::new(Some("looking"), UserRights::Viewer)),
        ("line-2", User::new(Some("mapping"), UserRights::Mapper(devices.into()))),
        ("panel", User::new(None, UserRights::Viewer)),
    ]
    .map(|(name, user)| (name.to_owned(), user))
}

fn user(name: &str) -> Principal {
    Principal::User(name.to_owned())
}

#[test]
fn this_machine_needs_no_password_and_others_do() {
    let access = Access::new(users());
    let who = |user: Option<&str>, password: Option<&str>, peer: &Peer| {
        access.authenticate("c", user, password.map(str::as_bytes), peer)
    };
    let somebody = Some(Principal::Local("c".into()));
    assert_eq!(who(None, None, &local()), somebody);
    assert_eq!(who(None, None, &peer("[::ffff:127.0.0.1]:1", false, None)), somebody);
    assert_eq!(who(None, None, &peer("127.0.0.1:1", true, None)), None, "by the door of other machines");
    assert_eq!(who(None, None, &remote()), None);
    assert_eq!(who(Some("alice"), Some("secret"), &remote()), Some(user("alice")));
    assert_eq!(who(Some("alice"), Some("wrong"), &local()), None);
    assert_eq!(who(Some("alice"), None, &local()), None);
    assert_eq!(who(Some("bob"), Some("secret"), &local()), None);
    assert_eq!(who(Some("panel"), Some(""), &local()), None, "it has no password");
    let closed = Access::new(users()).closed();
    assert_eq!(closed.authenticate("c", None, None, &local()), None);
}

#[test]
fn a_certificate_opens_for_the_user_of_its_name_only() {
    let access = Access::new(users());
    let who = |user: Option<&str>, name: &str| {
        access.authenticate("c", user, None, &peer("192.0.2.7:1", true, Some(name)))
    };
    assert_eq!(who(None, "panel"), Some(user("panel")));
    assert_eq!(who(Some("panel"), "panel"), Some(user("panel")));
    assert_eq!(who(Some("alice"), "panel"), None);
    assert_eq!(who(None, "stranger"), None);
}

#[test]
fn whoever_guesses_has_to_wait_and_our_own_mappers_need_not() {
    let access = Access::new(users());
    let login = access.admit_mapper("modbus", []);
    for _ in 0..10 {
        assert_eq!(access.authenticate("c", Some("alice"), Some(b"guess"), &local()), None);
    }
    assert_eq!(access.authenticate("c", Some("alice"), Some(b"secret"), &local()), None, "has to wait");
    assert_eq!(access.authenticate("c", Some("alice"), Some(b"secret"), &remote()), Some(user("alice")));
    assert!(access.authenticate("c", None, None, &local()).is_some());
    let password = login.password.as_bytes();
    assert!(access.authenticate("m", Some(&login.username), Some(password), &local()).is_some());
}

#[test]
fn a_mapper_speaks_for_its_own_devices_until_they_are_taken_away() {
    let access = Access::default();
    let login = access.admit_mapper("modbus", ["pump-1".parse().unwrap()]);
    let who = access.authenticate("m", Some(&login.username), Some(login.password.as_bytes()), &local());
    let mapper = who.unwrap();
    assert!(access.may_publish(&mapper, "$hw/events/device/default/pump-1/twin/update"));
    assert!(access.may_publish(&mapper, "$hw/events/device/pump-1/state/update"));
    assert!(access.may_publish(&mapper, "$hw/events/node/edge-1/membership/get"));
    assert!(!access.may_publish(&mapper, "$hw/events/device/default/pump-2/twin/update"));
    assert!(!access.may_publish(&mapper, "$hw/events/device/default/pump-1/twin/update/delta"));
    assert!(!access.may_publish(&mapper, "plant/other"));
    for operators in ["twin/override/update", "alarm/update", "alarm/state/t/hot"] {
        let topic = format!("$hw/events/device/default/pump-1/{operators}");
        assert!(!access.may_publish(&mapper, &topic), "{topic}");
    }
    access.set_devices("modbus", []);
    assert!(!access.may_publish(&mapper, "$hw/events/device/default/pump-1/twin/update"));
    access.dismiss_mapper("modbus");
    let again = access.authenticate("m", Some(&login.username), Some(login.password.as_bytes()), &local());
    assert_eq!(again, None);
}

#[test]
fn nobody_but_the_gateway_speaks_in_its_name() {
    let access = Access::new(users());
    for who in [Principal::Local("app".into()), user("alice"), user("eve"), user("line-2"), user("nobody")] {
        for topic in [
            "$hw/events/device/default/oven/twin/update/delta",
            "$hw/events/device/oven/twin/update/result",
            "$hw/events/device/BAD/pump/twin/update/delta",
            "$hw/events/node/edge-1/membership/updated",
            "$hw/events/device/default/oven/alarm/state/t/hot",
            "$hw/events/device/default/oven/twin/override/update/result",
            "$SYS/brokers",
        ] {
            assert!(!access.may_publish(&who, topic), "{who:?} {topic}");
        }
    }
    for topic in ["$hw/events/device/default/pump/twin/update", "$hw/events/device/BAD/p/twin/update", "a/b"]
    {
        assert!(access.may_publish(&Principal::Local("app".into()), topic), "{topic}");
    }
}

#[test]
fn users_publish_what_their_rights_say() {
    let access = Access::new(users());
    let may = |name: &str, topic: &str| access.may_publish(&user(name), topic);
    for (topic, viewer, operator, mapper) in [
        ("$hw/events/device/default/oven/twin/get", true, true, true),
        ("$hw/events/device/default/other/twin/get", true, true, false),
        ("$hw/events/node/edge-1/membership/get", true, true, true),
        ("$hw/events/device/hall/fan/twin/update", false, true, true),
        ("$hw/events/device/default/other/twin/update", false, true, false),
        ("$hw/events/device/default/oven/state/update", false, false, true),
        ("$hw/events/device/default/oven/twin/override/update", false, true, false),
        ("$hw/events/device/default/oven/alarm/update", false, true, false),
        ("plant/other", false, false, false),
    ] {
        let found = (may("eve", topic), may("alice", topic), may("line-2", topic));
        assert_eq!(found, (viewer, operator, mapper), "{topic}");
    }
    assert_eq!(access.says(&user("alice")), Says { reports: false, wants: true });
    assert_eq!(access.says(&user("line-2")), Says { reports: true, wants: false });
    assert_eq!(access.says(&user("eve")), Says { reports: false, wants: false });
}

#[test]
fn a_mapper_from_elsewhere_hears_of_its_own_devices_and_an_application_of_all() {
    let access = Access::new(users());
    let may = |name: &str, filter: &str| access.may_subscribe(&user(name), filter);
    for filter in ["$hw/#", "#", "$hw/events/device/+/+/twin/update/delta", "plant/#"] {
        assert!(may("eve", filter) && may("alice", filter), "{filter}");
        assert!(!may("line-2", filter) && !may("nobody", filter), "{filter}");
    }
    assert!(may("line-2", "$hw/events/device/default/oven/twin/update/delta"));
}
