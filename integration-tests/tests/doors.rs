//! The doors for other machines: REST and MQTT with TLS, with curl and mosquitto, certificates of the right and of a wrong
//! authority.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use integration_tests::harness::{Port, Reply, Secured, curl, eventually, found};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair,
};

const DEVICES: &str = "devices:\n  oven:\n    properties:\n      a: { type: int, access: read_write }\n  \
                       other:\n    properties:\n      a: { type: int, access: read_write }\n";
const OVEN: &str = "$hw/events/device/default/oven/twin/update";
const OTHER: &str = "$hw/events/device/default/other/twin/update";

/// An authority, and certificates of it.
struct Authority {
    folder: PathBuf,
    name: &'static str,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(folder: &Path, name: &'static str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        Self { folder: folder.to_owned(), name, issuer: Issuer::new(params, key) }
    }

    fn ca(&self) -> String {
        self.folder.join(format!("{}.pem", self.name)).display().to_string()
    }

    /// Files of a certificate and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |end: &str| self.folder.join(format!("{}-{name}.{end}", self.name)).display().to_string();
        std::fs::write(file("pem"), certificate.pem()).unwrap();
        std::fs::write(file("key"), key.serialize_pem()).unwrap();
        (file("pem"), file("key"))
    }
}

/// A plant with both doors, and users.
struct Plant {
    secured: Secured,
    rest: Port,
    mqtts: Port,
    right: Authority,
    wrong: Authority,
    _folder: tempfile::TempDir,
}

impl Plant {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (right, wrong) = (Authority::new(folder.path(), "right"), Authority::new(folder.path(), "wrong"));
        let (cert, key) = right.issue("gateway");
        let (rest, mqtts) = (Port::free(), Port::free());
        let ca = right.ca();
        let password = folder.path().join("password");
        std::fs::write(&password, "secret\n").unwrap();
        let password = password.display();
        let api = format!(
            "remote: {{ listen: \"{}\", cert_file: \"{cert}\", key_file: \"{key}\", client_ca_file: \"{ca}\", \
             certificates: {{ hmi: operator }} }},",
            rest.address()
        );
        let mqtt = format!(
            "users: {{ line-2: {{ password: \"${{file:{password}}}\", devices: [oven] }}, \
             hmi: {{ password: \"${{file:{password}}}\", role: operator }}, \
             eve: {{ password: \"${{file:{password}}}\", role: viewer }}, panel: {{ role: viewer }} }}, \
             tls: {{ listen: \"{}\", cert_file: \"{cert}\", key_file: \"{key}\", client_ca_file: \"{ca}\" }},",
            mqtts.address()
        );
        let secured = Secured::start(DEVICES, &api, &mqtt).await;
        Self { secured, rest, mqtts, right, wrong, _folder: folder }
    }

    fn https(&self, args: &[&str], path: &str) -> Reply {
        let url = format!("https://{}{path}", self.rest.address());
        curl(&self.secured.edge.folder(), 10, &[args, &[url.as_str()]].concat())
    }

    /// Runs a client of mosquitto at the door with TLS, as MQTT 5, which tells of refusals.
    fn mosquitto(&self, program: &str, ca: &str, args: &[&str]) -> Output {
        let mut command =
            Command::new(found(program).expect("mosquitto-clients is installed by scripts/test"));
        let port = self.mqtts.number().to_string();
        command.args(["-h", "127.0.0.1", "-p", &port, "-V", "5", "-q", "1", "--cafile", ca]).args(args);
        command.output().unwrap()
    }

    fn publishes(&self, user: &str, topic: &str, body: &str) -> bool {
        let args = ["-u", user, "-P", "secret", "-t", topic, "-m", body];
        let output = self.mosquitto("mosquitto_pub", &self.right.ca(), &args);
        output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("Not authorized")
    }

    fn subscribes(&self, args: &[&str]) -> bool {
        let args = [args, &["-E"]].concat();
        self.mosquitto("mosquitto_sub", &self.right.ca(), &args).status.success()
    }
}

#[tokio::test]
async fn rest_is_encrypted_and_opens_by_token_or_by_a_certificate_that_is_named() {
    let plant = Plant::start().await;
    let (ca, wrong_ca) = (plant.right.ca(), plant.wrong.ca());
    assert_eq!(plant.https(&["--cacert", &ca], "/healthz").status, 200);
    assert_eq!(plant.https(&["--cacert", &ca], "/api/v1/status").status, 401);
    let distrusted = plant.https(&["--cacert", &wrong_ca], "/healthz");
    assert!(distrusted.status == 0 && distrusted.error.contains("certificate"), "{distrusted:?}");

    let header = format!("Authorization: Bearer {}", plant.secured.token("remote", "viewer", &[]));
    let status = plant.https(&["--cacert", &ca, "-H", &header], "/api/v1/status");
    assert_eq!((status.status, status.json()["node"].as_str()), (200, Some("plant-1")));

    let patch = ["-X", "PATCH", "--json", "{\"a\": 5}"];
    let path = "/api/v1/devices/default/oven/override";
    assert_eq!(plant.https(&[&["--cacert", &ca, "-H", &header], &patch[..]].concat(), path).status, 403);
    let (cert, key) = plant.right.issue("hmi");
    let shown = ["--cacert", &ca, "--cert", &cert, "--key", &key];
    let set = plant.https(&[&shown[..], &patch[..]].concat(), path);
    assert_eq!(set.json()["properties"]["a"]["override"]["set_by"], "hmi@127.0.0.1", "{}", set.text);
    assert_eq!(plant.https(&[&shown[..], &["-X", "POST"]].concat(), "/api/v1/config/reload").status, 403);

    let (cert, key) = plant.right.issue("stranger");
    let stranger = plant.https(&["--cacert", &ca, "--cert", &cert, "--key", &key], "/api/v1/status");
    assert_eq!(stranger.status, 401);
    assert!(stranger.text.contains("stranger is not named"), "{}", stranger.text);
    let (cert, key) = plant.wrong.issue("hmi");
    let forged = plant.https(&["--cacert", &ca, "--cert", &cert, "--key", &key], "/api/v1/status");
    assert_eq!(forged.status, 0, "a certificate of a wrong authority was taken: {}", forged.text);

    let page = plant
        .https(&["--cacert", &ca, "-H", &header, "-H", "Origin: https://evil.example"], "/api/v1/status");
    assert_eq!(page.status, 403, "{}", page.text);
}

#[tokio::test]
async fn the_command_line_reaches_a_gateway_on_another_machine() {
    let plant = Plant::start().await;
    let token = plant.secured.edge.folder().join("token");
    std::fs::write(&token, plant.secured.token("engineer", "engineer", &[])).unwrap();
    let (gateway, ca) = (format!("https://{}", plant.rest.address()), plant.right.ca());
    let token = token.display().to_string();
    let status = |more: &[&str]| plant.secured.cli(&[&["status", "--gateway", &gateway], more].concat());
    let output = status(&["--ca-file", &ca, "--token-file", &token]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("plant-1"), "{output:?}");
    let (cert, key) = plant.right.issue("hmi");
    let output = status(&["--ca-file", &ca, "--cert-file", &cert, "--key-file", &key]);
    assert!(output.status.success(), "{output:?}");
    let output = status(&["--ca-file", &ca]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("a token is needed"), "{output:?}");
    let output = status(&["--ca-file", &plant.wrong.ca(), "--token-file", &token]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--ca-file"), "{output:?}");
    let config = plant.secured.edge.config().display().to_string();
    let apply =
        ["apply", &config, "-m", "moved", "--gateway", &gateway, "--ca-file", &ca, "--token-file", &token];
    assert!(plant.secured.cli(&apply).status.success());
}

#[tokio::test]
async fn mqtt_is_encrypted_and_each_user_does_what_its_rights_say() {
    let plant = Plant::start().await;
    let (reports, wants) =
        ("{\"twin\":{\"a\":{\"actual\":{\"value\":3}}}}", "{\"twin\":{\"a\":{\"expected\":{\"value\":9}}}}");
    assert!(plant.publishes("line-2", OVEN, reports));
    assert!(!plant.publishes("line-2", OTHER, reports), "a mapper spoke for a device that is not its own");
    assert!(plant.publishes("hmi", OVEN, wants));
    assert!(!plant.publishes("eve", OVEN, wants), "a viewer said what a device should do");
    let twin = async || {
        let twin = plant.secured.curl("/api/v1/devices/default/oven/twin", &[]).json();
        twin["properties"]["a"].clone()
    };
    eventually("both are in the twin", async || {
        let a = twin().await;
        let there = a["reported"]["value"] == 3 && a["override"]["value"] == 9;
        if there { Ok(()) } else { Err(a.to_string()) }
    })
    .await;
    assert_eq!(twin().await["override"]["set_by"], "hmi@mqtt");
    // The body counts too: what an application says a device holds, and what a mapper wants of it, is refused.
    plant.publishes("hmi", OVEN, "{\"twin\":{\"a\":{\"actual\":{\"value\":77}}}}");
    plant.publishes("line-2", OVEN, "{\"twin\":{\"a\":{\"expected\":{\"value\":77}}}}");
    assert!(plant.publishes("line-2", OVEN, "{\"twin\":{\"a\":{\"actual\":{\"value\":4}}}}"));
    eventually("the last is in the twin", async || {
        let a = twin().await;
        if a["reported"]["value"] == 4 { Ok(()) } else { Err(a.to_string()) }
    })
    .await;
    assert_eq!(twin().await["override"]["value"], 9);

    let login = |user: &'static str| ["-u", user, "-P", "secret"];
    assert!(plant.subscribes(&[&login("eve")[..], &["-t", "$hw/#"]].concat()));
    assert!(plant.subscribes(&[&login("line-2")[..], &["-t", "$hw/events/device/default/oven/#"]].concat()));
    let all = plant.mosquitto(
        "mosquitto_sub",
        &plant.right.ca(),
        &[&login("line-2")[..], &["-t", "$hw/#", "-W", "3"]].concat(),
    );
    assert!(String::from_utf8_lossy(&all.stderr).contains("denied"), "{all:?}");

    let (cert, key) = plant.right.issue("panel");
    assert!(plant.subscribes(&["--cert", &cert, "--key", &key, "-t", "$hw/#"]));
    let (cert, key) = plant.wrong.issue("panel");
    assert!(!plant.subscribes(&["--cert", &cert, "--key", &key, "-t", "$hw/#"]), "a wrong authority");
    assert!(!plant.subscribes(&["-t", "$hw/#"]), "nobody");
    assert!(!plant.subscribes(&["-u", "eve", "-P", "wrong", "-t", "$hw/#"]), "a wrong password");
    let ca = plant.wrong.ca();
    let distrusted =
        plant.mosquitto("mosquitto_pub", &ca, &["-u", "eve", "-P", "secret", "-t", "x", "-m", "y"]);
    assert!(!distrusted.status.success());
}
