//! A table of broken configurations: every row names all faults that are reported, and nothing else.

mod common;

use common::read;

/// One line a fault: `file:line:column path | message | hint`.
fn lines(texts: &[(&str, &str)]) -> String {
    match read(texts) {
        Ok(_) => "all well".into(),
        Err(faults) => {
            let line = |fault: &config::Fault| {
                let path = if fault.path.is_empty() { "-" } else { &fault.path };
                let related =
                    fault.related.as_ref().map_or(String::new(), |(at, what)| format!(" | {what}: {at}"));
                let hint = fault.hint.as_deref().unwrap_or("-");
                let at = format!("{}:{}", fault.place.line, fault.place.column);
                format!("{at} {path} | {} | {hint}{related}", fault.message)
            };
            faults.faults.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    }
}

/// A gateway that is right, for rows about something else: two lines.
const GATEWAY: &str = "gateway: {node: plant-7}\ndevices:\n";

fn table() -> Vec<(&'static str, String, &'static str)> {
    let gateway = |text: &str| format!("devices: {{}}\ngateway:\n{text}");
    let device = |text: &str| format!("{GATEWAY}  pump-1:\n{text}");
    let property = |text: &str| format!("{GATEWAY}  pump-1:\n    properties:\n      speed:\n{text}");
    vec![
        (
            "nothing at all",
            "".into(),
            "1:1 gateway | there is no `gateway` | write `gateway:` and below it `  node: NAME`",
        ),
        (
            "a text instead of a map",
            "hello".into(),
            "1:1 - | a map is wanted here, not `hello` | begin with `gateway`, `models` or `devices`",
        ),
        (
            "a list instead of a map",
            "- a\n- b\n".into(),
            "1:1 - | a map is wanted here, not a list | begin with `gateway`, `models` or `devices`",
        ),
        (
            "not YAML: a bracket that is not closed",
            "gateway: {node: plant-7\ndevices: {}\n".into(),
            "2:8 - | this is not YAML: while parsing a flow mapping, did not find expected ',' or '}' | look at the indentation, quotes and brackets here and above",
        ),
        (
            "not YAML: a tab",
            "gateway:\n\tnode: plant-7\n".into(),
            "2:2 - | this is not YAML: tabs disallowed within this context (block indentation) | indent with spaces, not with tabs",
        ),
        (
            "not YAML: an unknown alias",
            "gateway: *nobody\n".into(),
            "1:10 - | this is not YAML: while parsing node, found unknown anchor | look at the indentation, quotes and brackets here and above",
        ),
        (
            "two documents",
            "gateway: {node: plant-7}\n---\ndevices: {}\n".into(),
            "2:1 - | a second document begins here | write each document into a file of its own",
        ),
        (
            "a tag",
            "gateway: {node: !name plant-7}\n".into(),
            "1:23 gateway.node | tags (words that begin with `!`) are not read | remove the tag",
        ),
        (
            "a list as a key",
            "gateway:\n  [a, b]: c\n".into(),
            "2:3 - | a key must be a word, not a list or a map | -",
        ),
        (
            "an unknown key at the top",
            "gatewy: {node: plant-7}\n".into(),
            "1:1 gatewy | the key `gatewy` is not known here | did you mean `gateway`?",
        ),
        (
            "a key twice",
            "gateway:\n  node: a\n  node: b\n".into(),
            "3:3 gateway.node | the key `node` stands here a second time | remove one of the two | the first one: plant.yaml:2:3",
        ),
        (
            "unknown keys in the gateway",
            gateway("  nod: plant-7\n  data-dir: ./x\n  zzz: 1\n"),
            "3:3 gateway.nod | the key `nod` is not known here | did you mean `node`?\n\
                4:3 gateway.data-dir | the key `data-dir` is not known here | did you mean `data_dir`?\n\
                5:3 gateway.zzz | the key `zzz` is not known here | known here: `node`, `data_dir`, `mqtt`, `cloud`, `api`, `log`, `history`, `audit`, `reload_on_change` or `shutdown_grace`",
        ),
        (
            "node missing",
            gateway("  data_dir: ./x\n"),
            "2:1 gateway | the key `node` is missing here | write `node: ...`",
        ),
        (
            "a bad node name",
            gateway("  node: Plant_7\n"),
            "3:9 gateway.node | `Plant_7` is not a node name | use 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit",
        ),
        (
            "a merge key",
            gateway("  node: a\n  <<: {}\n"),
            "4:3 gateway.<< | the key `<<` is not known here | merge keys are not read; put what is common into a model",
        ),
        (
            "two brokers",
            gateway("  node: a\n  mqtt:\n    embedded: {}\n    external: {url: mqtt://h}\n"),
            "6:5 gateway.mqtt | only one of `embedded` or `external` can stand here | -",
        ),
        (
            "an unknown kind of broker",
            gateway("  node: a\n  mqtt: {extern: {url: mqtt://h}}\n"),
            "4:10 gateway.mqtt.extern | the key `extern` is not known here | did you mean `external`?",
        ),
        (
            "broker without a url",
            gateway("  node: a\n  mqtt: {external: {username: u}}\n"),
            "4:10 gateway.mqtt.external | the key `url` is missing here | write `url: ...`",
        ),
        (
            "a broker with a wrong scheme",
            gateway("  node: a\n  mqtt: {external: {url: http://h}}\n"),
            "4:26 gateway.mqtt.external.url | `http://h` is not an address: the part before `://` is not known here | write it like mqtt://broker.example:1883 or mqtts://broker.example",
        ),
        (
            "a broker with a password in its url",
            gateway("  node: a\n  mqtt: {external: {url: \"mqtt://u:hush@h\"}}\n"),
            "4:26 gateway.mqtt.external.url | an address must not hold a user or password | take out the part before the `@`; use the keys `username` and `password`",
        ),
        (
            "a password without a user",
            gateway("  node: a\n  mqtt: {external: {url: mqtts://h, password: \"${file:/secret}\"}}\n"),
            "4:37 gateway.mqtt.external.password | a password needs a `username` beside it | -",
        ),
        (
            "a ca_file without TLS",
            gateway("  node: a\n  mqtt: {external: {url: mqtt://h, ca_file: ca.pem}}\n"),
            "4:36 gateway.mqtt.external.ca_file | `ca_file` is for mqtts:// only | write mqtts:// or remove the key",
        ),
        (
            "listening where there is no port",
            gateway("  node: a\n  api: {listen: 127.0.0.1}\n"),
            "4:17 gateway.api.listen | `127.0.0.1` is not an address to listen on | write an IP address with a port, like 127.0.0.1:7480",
        ),
        (
            "listening to everybody",
            gateway("  node: a\n  api: {listen: 0.0.0.0:7480}\n  mqtt: {embedded: {listen: '192.168.1.5:1883'}}\n"),
            "4:17 gateway.api.listen | `0.0.0.0:7480` is not a loopback address, and there is no TLS here | write 127.0.0.1:7480; other machines come in by `gateway.api.remote` and `gateway.mqtt.embedded.tls`\n\
                5:29 gateway.mqtt.embedded.listen | `192.168.1.5:1883` is not a loopback address, and there is no TLS here | write 127.0.0.1:1883; other machines come in by `gateway.api.remote` and `gateway.mqtt.embedded.tls`",
        ),
        (
            "ws to another host",
            gateway("  node: a\n  cloud: {url: 'ws://cloud.example:7443'}\n"),
            "4:16 gateway.cloud.url | `ws://` sends everything in the clear and is taken for loopback only | write wss:// instead of ws://",
        ),
        (
            "a secret that cannot be read",
            gateway("  node: a\n  cloud: {url: 'wss://c', token: '${file:/nobody}'}\n  api: {listen: '${env:NOBODY}'}\n"),
            "4:34 gateway.cloud.token | the file `/nobody` cannot be read: no such file | the gateway's user must be able to read the file\n\
                5:17 gateway.api.listen | the variable `NOBODY` cannot be read: it is not set | set the variable before the gateway starts",
        ),
        (
            "a reference that is none",
            gateway("  node: a\n  cloud: {url: 'wss://c', token: '${vault:x}'}\n"),
            "4:34 gateway.cloud.token | this is not a reference to a secret | write ${file:/path} or ${env:NAME}",
        ),
        (
            "a wrong text behind a reference",
            gateway("  node: '${env:WRONG}'\n  api: {listen: '${env:WRONG}'}\n  cloud: {url: '${env:WRONG}'}\n"),
            "3:9 gateway.node | what this reference stands for is not right here | its text is not shown; look at what it holds\n\
                4:17 gateway.api.listen | what this reference stands for is not right here | its text is not shown; look at what it holds\n\
                5:16 gateway.cloud.url | what this reference stands for is not right here | its text is not shown; look at what it holds",
        ),
        (
            "a log level that is none",
            gateway("  node: a\n  log: {level: inf, format: xml}\n"),
            "4:16 gateway.log.level | `error`, `warn`, `info`, `debug` or `trace` is wanted here, not `inf` | did you mean `info`?\n\
                4:29 gateway.log.format | `auto`, `human` or `json` is wanted here, not `xml` | -",
        ),
        (
            "a grace without a unit and one too long",
            gateway("  node: a\n  shutdown_grace: 10\n"),
            "4:19 gateway.shutdown_grace | `10` is not a duration | write a number and a unit: 250ms, 1s, 5m, 24h or 30d",
        ),
        (
            "a grace that is too long",
            gateway("  node: a\n  shutdown_grace: 1h\n"),
            "4:19 gateway.shutdown_grace | 1h is not between 1s and 5m | write a duration from 1s to 5m",
        ),
        (
            "a bad device name",
            "gateway: {node: a}\ndevices:\n  Pump_1: {}\n  a/b/c: {}\n".into(),
            "3:3 devices.Pump_1 | `Pump_1` is not a device name | use 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit\n\
                4:3 devices.a/b/c | `b/c` is not a device name | use 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit",
        ),
        (
            "one device under two names",
            "gateway: {node: a}\ndevices:\n  pump: {}\n  default/pump: {}\n".into(),
            "4:3 devices.default/pump | this device stands here a second time | remove one of the two | the first one: plant.yaml:3:3",
        ),
        (
            "a model that is not there",
            "gateway: {node: a}\nmodels: {pump: {}}\ndevices:\n  one: {model: pmp}\n  two: {model: valve}\n".into(),
            "4:16 devices.one.model | there is no model `pmp` | did you mean `pump`?\n\
                5:16 devices.two.model | there is no model `valve` | the models are `pump`",
        ),
        (
            "a model where none are",
            device("    model: pump\n"),
            "4:12 devices.pump-1.model | there is no model `pump` | no models are written; write them below `models:`",
        ),
        (
            "a device that is a text",
            device("    hello\n"),
            "4:5 devices.pump-1 | a map is wanted here, not `hello` | known here: `model`, `description` or `labels`",
        ),
        (
            "a protocol that is unknown",
            device("    modbuss: {tcp: h}\n"),
            "4:5 devices.pump-1.modbuss | the key `modbuss` is not known here | did you mean `modbus`?",
        ),
        (
            "two protocols",
            device("    modbus: {tcp: h}\n    opcua: {node_id: x}\n"),
            "5:5 devices.pump-1.opcua | a device speaks one protocol only | remove one of the two | the other one: plant.yaml:4:5",
        ),
        (
            "a yes and a no",
            device("    modbus: {tcp: h, keep_open: yes}\n"),
            "4:33 devices.pump-1.modbus.keep_open | `true` or `false` is wanted here, not `yes` | write true",
        ),
        (
            "a number that is too large",
            device("    modbus: {tcp: h, unit: 300}\n"),
            "4:28 devices.pump-1.modbus.unit | a whole number from 0 to 255 is wanted here, not `300` | -",
        ),
        (
            "a number in quotes",
            device("    modbus: {tcp: h, unit: '3'}\n"),
            "4:28 devices.pump-1.modbus.unit | a whole number is wanted here, not `3` | take off the quotes",
        ),
        (
            "a number with a leading zero",
            device("    modbus: {tcp: h, unit: 017}\n"),
            "4:28 devices.pump-1.modbus.unit | a whole number is wanted here, not `017` | write it without the leading zero: 17",
        ),
        (
            "a rule of the link",
            device("    modbus: {tcp: h, unit: 250}\n"),
            "4:28 devices.pump-1.modbus.unit | unit ids end at 247 | write 1 to 247",
        ),
        (
            "a rule of the whole link",
            device("    modbus: {unit: 3}\n"),
            "4:5 devices.pump-1.modbus | exactly one of `tcp` and `serial` is wanted | write tcp: host:502",
        ),
        (
            "missing keys deep in a link",
            device("    modbus: {serial: {}}\n"),
            "4:14 devices.pump-1.modbus.serial | the key `path` is missing here | write `path: ...`\n\
                4:14 devices.pump-1.modbus.serial | the key `baud` is missing here | write `baud: ...`",
        ),
        (
            "a label that is a list",
            device("    labels: {line: [a]}\n    description: {}\n"),
            "4:20 devices.pump-1.labels.line | a text is wanted here, not a list | -\n\
                5:18 devices.pump-1.description | a text is wanted here, not a map | -",
        ),
        (
            "a property without a type",
            property("        unit: bar\n"),
            "5:7 devices.pump-1.properties.speed | the key `type` is missing here | write `type: ...`",
        ),
        (
            "a slip in the key that is wanted",
            property("        typ: float\n"),
            "6:9 devices.pump-1.properties.speed.typ | the key `typ` is not known here | did you mean `type`?",
        ),
        (
            "a type that is none",
            property("        type: flot\n"),
            "6:15 devices.pump-1.properties.speed.type | `bool`, `int`, `float`, `string`, `bytes` or `json` is wanted here, not `flot` | did you mean `float`?",
        ),
        (
            "a bad property name",
            "gateway: {node: a}\ndevices:\n  pump:\n    properties: {'a b': {type: int}}\n".into(),
            "4:18 devices.pump.properties.a b | `a b` is not a property name | use 1 to 128 of A-Z, a-z, 0-9 and - _ . , : / @ #",
        ),
        (
            "properties as a list",
            device("    properties: [speed]\n"),
            "4:17 devices.pump-1.properties | a map is wanted here, not a list | write `name: ...` lines below",
        ),
        (
            "a range the wrong way round",
            property("        type: float\n        range: [16, 0]\n"),
            "7:16 devices.pump-1.properties.speed.range | the lowest number must be below the highest | write [0, 16]",
        ),
        (
            "a range of three",
            property("        type: float\n        range: [1, 2, 3]\n"),
            "7:16 devices.pump-1.properties.speed.range | a list of 2 is wanted here, not of 3 | -",
        ),
        (
            "a range of words",
            property("        type: float\n        range: [low, '3']\n"),
            "7:17 devices.pump-1.properties.speed.range[0] | a number is wanted here, not `low` | -",
        ),
        (
            "a range for a text",
            property("        type: string\n        range: [0, 1]\n"),
            "7:16 devices.pump-1.properties.speed.range | a range is for numbers, and this property is of type string | remove the range, or write `type: float`",
        ),
        (
            "values of another type",
            property("        type: int\n        range: [0, 10]\n        one_of: [1, x, 20, 2.5]\n"),
            "8:21 devices.pump-1.properties.speed.one_of[1] | `x` is not a value of type int | write a whole number of at most 64 bits\n\
                8:24 devices.pump-1.properties.speed.one_of[2] | 20 is outside the range 0 to 10 | change the range or remove the value\n\
                8:28 devices.pump-1.properties.speed.one_of[3] | `2.5` is not a value of type int | write a whole number of at most 64 bits",
        ),
        (
            "values that are no bools",
            property("        type: bool\n        one_of: [yes]\n"),
            "7:18 devices.pump-1.properties.speed.one_of[0] | `yes` is not a value of type bool | write true or false",
        ),
        (
            "no values",
            property("        type: int\n        one_of: []\n"),
            "7:17 devices.pump-1.properties.speed.one_of | no value at all would be allowed | remove the key or name the values",
        ),
        (
            "tolerances",
            property("        type: int\n        tolerance: 0.1\n"),
            "7:20 devices.pump-1.properties.speed.tolerance | a tolerance is for floats, and this property is of type int | remove the tolerance",
        ),
        (
            "a negative tolerance",
            property("        type: float\n        tolerance: -0.1\n"),
            "7:20 devices.pump-1.properties.speed.tolerance | a tolerance is not negative | -",
        ),
        (
            "a decimal comma",
            property("        type: float\n        tolerance: 0,1\n"),
            "7:20 devices.pump-1.properties.speed.tolerance | a number is wanted here, not `0,1` | use a point for the decimals: 0.1",
        ),
        (
            "polling too fast",
            property("        type: float\n        every: 1ms\n"),
            "7:16 devices.pump-1.properties.speed.every | 1ms is not between 10ms and 1d | write a duration from 10ms to 1d",
        ),
        (
            "a deadband for a text",
            property("        type: string\n        report: {deadband: 1}\n"),
            "7:28 devices.pump-1.properties.speed.report.deadband | a deadband is for numbers, and this property is of type string | remove the deadband",
        ),
        (
            "a negative deadband",
            property("        type: int\n        report: {deadband: -1}\n"),
            "7:28 devices.pump-1.properties.speed.report.deadband | a deadband is not negative | write 0 to report every change",
        ),
        (
            "a silence shorter than the interval",
            property("        type: int\n        report: {max_silence: 1s, min_interval: 5s}\n"),
            "7:31 devices.pump-1.properties.speed.report.max_silence | the longest silence is shorter than the shortest time between two values | write a longer time than `min_interval`",
        ),
        (
            "stale before the next value",
            property("        type: int\n        every: 10s\n        stale_after: 5s\n"),
            "8:22 devices.pump-1.properties.speed.stale_after | every value would be stale before the next comes, since it is read every 10s | write a longer time, some times that of `every`",
        ),
        (
            "a history for no time, of no sample, of a word that is not known, and not a duration",
            property("        type: int\n        history: 1s\n")
                + "      a:\n        type: int\n        history: {rows: 0}\n"
                + "      b:\n        type: int\n        history: {fro: 1d}\n"
                + "      c:\n        type: int\n        history: yes\n",
            "7:18 devices.pump-1.properties.speed.history | 1s is not between 1h and 3650d | write a duration from 1h to 3650d\n\
                10:25 devices.pump-1.properties.a.history.rows | no sample at all would be kept | write a number from 1, or remove `history`\n\
                13:19 devices.pump-1.properties.b.history.fro | the key `fro` is not known here | did you mean `for`?\n\
                16:18 devices.pump-1.properties.c.history | `yes` is not a duration | write a number and a unit: 250ms, 1s, 5m, 24h or 30d",
        ),
        (
            "a history that is too small",
            "gateway: {node: a, history: {max_bytes: 1MB}}\ndevices: {}\n".into(),
            "1:41 gateway.history.max_bytes | 1MB is not between 16MiB and 1TiB | write a size from 16MiB to 1TiB",
        ),
        (
            "polling what is only written",
            property("        type: int\n        access: write\n        every: 1s\n        report: {}\n"),
            "8:9 devices.pump-1.properties.speed.every | this property can only be written, so it is never read | remove the key, or write `access: read_write`\n\
                9:9 devices.pump-1.properties.speed.report | this property can only be written, so it is never read | remove the key, or write `access: read_write`",
        ),
        (
            "a point without a link",
            property("        type: int\n        modbus: {input: 1}\n"),
            "7:9 devices.pump-1.properties.speed | nothing says how the device is reached | write `modbus: ...` into the device",
        ),
        (
            "a link without a point",
            "gateway: {node: a}\ndevices:\n  pump:\n    modbus: {tcp: h}\n    properties:\n      speed: {type: int}\n".into(),
            "6:7 devices.pump.properties.speed | nothing says where this property lives in the device | write `modbus: ...` into the property",
        ),
        (
            "a point of another protocol",
            "gateway: {node: a}\ndevices:\n  pump:\n    modbus: {tcp: h}\n    properties:\n      speed: {type: int, opcua: {node_id: x}}\n".into(),
            "6:26 devices.pump.properties.speed | this property lives in `opcua`, but the device speaks `modbus` | write `modbus: ...`",
        ),
        (
            "a model of another protocol",
            "gateway: {node: a}\nmodels:\n  pump:\n    properties:\n      speed: {type: int, opcua: {node_id: x}}\ndevices:\n  pump-1: {model: pump, modbus: {tcp: h}}\n".into(),
            "7:19 devices.pump-1.model | `speed` of the model lives in `opcua`, but this device speaks `modbus` | take another model, or write the property here as well | the model says so here: plant.yaml:5:26",
        ),
        (
            "a model with points for a device without a link",
            "gateway: {node: a}\nmodels:\n  pump:\n    properties:\n      speed: {type: int, opcua: {node_id: x}}\ndevices:\n  pump-1: {model: pump}\n".into(),
            "7:3 devices.pump-1 | nothing says how this device is reached, but `speed` lives in `opcua` | write `opcua: ...` into the device | the model says so here: plant.yaml:5:26",
        ),
        (
            "a model without points",
            "gateway: {node: a}\nmodels:\n  pump:\n    properties:\n      speed: {type: int}\ndevices:\n  pump-1: {model: pump, modbus: {tcp: h}}\n".into(),
            "7:19 devices.pump-1.model | nothing says where `speed` of the model lives in the device | write `modbus: ...` into the property | the property: plant.yaml:5:7",
        ),
        (
            "a point that does not suit the property",
            "gateway: {node: a}\ndevices:\n  pump:\n    modbus: {tcp: h}\n    properties:\n      speed: {type: int, access: read_write, modbus: {input: 3}}\n".into(),
            "6:62 devices.pump.properties.speed.modbus.input | an input register cannot be written | write `access: read`",
        ),
        (
            "unknown and wrong keys deep in a point",
            "gateway: {node: a}\ndevices:\n  pump:\n    modbus: {tcp: h}\n    properties:\n      speed:\n        type: int\n        modbus: {holding: {at: 70000, ordr: cdab, scale: x}}\n".into(),
            "8:32 devices.pump.properties.speed.modbus.holding.at | a whole number from 0 to 65535 is wanted here, not `70000` | -\n\
                8:39 devices.pump.properties.speed.modbus.holding.ordr | the key `ordr` is not known here | did you mean `order`?\n\
                8:58 devices.pump.properties.speed.modbus.holding.scale | a number is wanted here, not `x` | -",
        ),
        (
            "an unknown table",
            "gateway: {node: a}\ndevices:\n  pump:\n    modbus: {tcp: h}\n    properties:\n      speed:\n        type: int\n        modbus: {holdin: 3}\n".into(),
            "8:18 devices.pump.properties.speed.modbus.holdin | the key `holdin` is not known here | did you mean `holding`?",
        ),
        (
            "devices that do not agree about the serial port that they share",
            "gateway: {node: a}\nmodels:\n  pump:\n    parameters: {baud: {type: int}}\n    modbus: {serial: {path: /dev/ttyS1, baud: $(baud)}}\ndevices:\n  pump-1:\n    modbus: {serial: {path: /dev/ttyS1, baud: 9600}}\n  pump-2:\n    modbus: {serial: {path: /dev/ttyS1, baud: 19200}}\n  pump-3:\n    modbus: {serial: {path: /dev/ttyS2, baud: 19200}}\n  pump-4: {model: pump, with: {baud: 1200}}\n  pump-5: {model: pump, with: {baud: 9600}}\n".into(),
            "10:47 devices.pump-2.modbus.serial.baud | `/dev/ttyS1` has the baud rate 19200 here, and 9600 in another device | all devices on `/dev/ttyS1` need the same | the other one: plant.yaml:8:47\n\
                13:3 devices.pump-4 | `/dev/ttyS1` has the baud rate 1200 here, and 9600 in another device | all devices on `/dev/ttyS1` need the same | the other one: plant.yaml:8:47",
        ),
        (
            "nesting that is too deep",
            "gateway: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n".into(),
            "1:73 - | lists and maps lie more than 64 deep in each other | -",
        ),
        (
            "aliases that multiply",
            "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n".into(),
            "6:29 f[7] | the aliases stand for more than 1000000 values | put what is common into a model",
        ),
    ]
}

#[test]
fn every_broken_configuration_gives_its_named_faults() {
    let mut wrong = String::new();
    for (name, text, expected) in table() {
        let found = lines(&[("plant.yaml", &text)]);
        if found != expected {
            wrong += &format!("{name}\n--- wanted\n{expected}\n--- found\n{found}\n\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(table().len() >= 30);
}
