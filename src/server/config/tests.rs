//! What the configuration takes, what it refuses, and in which words.

use std::net::SocketAddr;
use std::time::Duration;

use ringway_net::TlsFiles;
use ringway_sip::Transport;
use ringway_sip::digest::Algorithm;

use super::*;

const EXAMPLE: &str = include_str!("../../../config/ringway.toml");

fn read(text: &str) -> Config {
    read_with(text, &[]).unwrap()
}

fn read_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, Faults> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(Path::new("r.toml"), text, &Overrides::default(), environment)
}

/// The lines that `ringway check` would print.
fn faults(text: &str) -> Vec<String> {
    faults_with(text, &[])
}

fn faults_with(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    read_with(text, environment).unwrap_err().0.iter().map(Fault::to_string).collect()
}

#[test]
fn without_a_file_everything_stands_at_its_default() {
    let config = read("");
    assert_eq!(config.node.data_dir, Path::new("./data"));
    assert_eq!(config.node.key_file, Path::new("./data/master.key"));
    assert_eq!(config.node.id, None);
    assert_eq!(config.database.path(), Path::new("./data/ringway.db"));
    let listeners: Vec<_> = config.listen.iter().map(|listen| (listen.transport, listen.address)).collect();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 5060));
    assert_eq!(listeners, [(Transport::Udp, everywhere), (Transport::Tcp, everywhere)]);
    assert_eq!(config.http.address, SocketAddr::from(([127, 0, 0, 1], 8080)));
    assert_eq!(config.http.metrics, None);
    assert!(config.shards >= 1);
    assert_eq!(config.auth.algorithms, [Algorithm::Md5]);
    assert_eq!(config.auth.nonce_lifetime, Duration::from_secs(300));
    assert_eq!(config.registrar, RegistrarSettings::default());
    assert_eq!(config.journal.sync_interval, Duration::from_millis(200));
}

#[test]
fn the_example_file_holds_every_key_at_its_default() {
    let (config, known) =
        Config::read(Path::new("r.toml"), EXAMPLE, &Overrides::default(), std::iter::empty()).unwrap();
    assert_eq!(config, read(""), "a value in the example is not the default");
    for key in known.iter().filter(|known| known.is_served) {
        let section = EXAMPLE
            .split("\n[")
            .find(|part| part.trim_start_matches('[').starts_with(&format!("{}]", key.section)))
            .unwrap_or_else(|| panic!("[{}] is not in the example", key.section));
        let assignment = format!("{} = ", key.key);
        assert!(section.lines().any(|line| line.starts_with(&assignment)), "{key:?} is not in the example");
    }
}

#[test]
fn the_documentation_has_a_row_for_every_key_with_its_default() {
    let page = include_str!("../../../docs/configuration.md");
    let (_, known) = Config::read(Path::new("r.toml"), EXAMPLE, &Overrides::default(), std::iter::empty()).unwrap();
    for Known { section, key, .. } in known.iter().filter(|known| known.is_served) {
        let row = format!("| `{section}.{key}` | `");
        let row = page.lines().find_map(|line| line.strip_prefix(&row));
        let (default, rest) = row.unwrap_or_else(|| panic!("{section}.{key} has no row")).split_once("` | ").unwrap();
        let assignment = format!("{key} = {default}");
        assert!(EXAMPLE.lines().any(|line| line == assignment), "{section}.{key}: {default} is not the default");
        assert!(rest.starts_with("live | ") || rest.starts_with("start | "), "{section}.{key}");
    }
}

#[test]
fn every_key_of_the_example_is_explained_above_it() {
    let mut explained = std::collections::HashSet::new();
    let (mut section, mut before) = ("", "");
    for line in EXAMPLE.lines() {
        if line.starts_with('[') {
            section = line;
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#'))
            && !before.starts_with('#')
        {
            assert!(explained.contains(&(section, key)), "{section} {key} is not explained");
        }
        if let Some((key, _)) = line.split_once(" = ") {
            explained.insert((section, key));
        }
        before = line;
    }
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_line_and_remedy() {
    let text = "\
[node]
hide_version = \"yes\"
colour = \"blue\"

[registrar]
max_expire = 10
min_expires = \"60\"
max_bindings = 0

[registar]
x = 1

[log]
level = \"loud\"
";
    assert_eq!(
        faults(text),
        [
            "r.toml:2: hide_version is neither true nor false; write for example hide_version = false",
            "r.toml:3: [node] has no key colour; its keys are id, address, data_dir, default_tenant, hide_version",
            "r.toml:6: [registrar] has no key max_expire; did you mean max_expires?",
            "r.toml:7: min_expires is text; write a whole number from 1 to 86400 (seconds), for example \
             min_expires = 60",
            "r.toml:8: max_bindings is out of range; write a whole number from 1 to 100, for example \
             max_bindings = 10",
            "r.toml:10: there is no section [registar]; did you mean [registrar]?",
            "r.toml:14: level: \"loud\" is no level; write off, error, warn, info, debug or trace, and for one place \
             for example info,net=debug",
        ]
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let faults = faults("[node]\nid = \n");
    assert!(faults[0].starts_with("r.toml:2: this is no valid TOML: "), "{faults:?}");
}

#[test]
fn a_key_behind_what_is_no_toml_is_not_called_unknown() {
    for text in ["[registrar\nmax_expires = 3\n", "listen = \n[registrar]\nmax_expires = \"x\"\n"] {
        let faults = faults(text);
        assert!(faults.iter().all(|fault| fault.contains(": this is no valid TOML: ")), "{faults:?}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_told_what_to_write() {
    assert_eq!(
        faults("[http]\naddress = 8080\n"),
        ["r.toml:2: address is a whole number; write text in quotes, for example address = \"127.0.0.1:8080\""]
    );
    assert_eq!(
        faults("[auth]\nalgorithms = \"MD5\"\n"),
        ["r.toml:2: algorithms is text; write a list, for example algorithms = [\"MD5\"]"]
    );
    assert_eq!(
        faults("[auth]\nalgorithms = [\"MD4\", 5]\n"),
        [
            "r.toml:2: algorithms has a whole number in it; write text in quotes, for example algorithms = [\"MD5\"]",
            "r.toml:2: algorithms: \"MD4\" is no algorithm; write \"MD5\", \"SHA-256\", \"SHA-512-256\"",
        ]
    );
    assert_eq!(faults("node = 1\n"), ["r.toml:1: node is a whole number; write a section [node]"]);
    assert_eq!(faults("[listen]\n"), ["r.toml:1: listen is a list of sections; write [[listen]]"]);
    assert_eq!(faults("[[node]]\n"), ["r.toml:1: node is a list; write a section [node]"]);
    assert_eq!(
        faults("[journal]\nfsync_ms = 1.5\n"),
        ["r.toml:2: fsync_ms is a number with a fraction; write a whole number from 0 to 60000 (milliseconds; 0: \
             before each answer), for example fsync_ms = 200"]
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    assert_eq!(
        faults("[registrar]\nmin_expires = 600\nmax_expires = 300\n"),
        ["r.toml:2: min_expires (600) is above max_expires (300); lower it"]
    );
    assert_eq!(
        faults("[registrar]\ndefault_expires = 30\n"),
        ["r.toml:2: default_expires (30) is not between min_expires (60) and max_expires (3600); choose one that is"]
    );
    assert_eq!(
        faults("[auth]\nalgorithms = []\n"),
        ["r.toml:2: algorithms names none; write at least one, for example [\"MD5\"]"]
    );
}

#[test]
fn listeners_of_the_file_replace_the_default_ones() {
    let config = read("[[listen]]\ntransport = \"tcp\"\naddress = \"[::1]:5070\"\nadvertise = \"sip.example.com\"\n");
    assert_eq!(
        config.listen,
        [Listen {
            transport: Transport::Tcp,
            address: "[::1]:5070".parse().unwrap(),
            advertise: Some(Advertise { host: "sip.example.com".into(), port: None }),
            tls: None,
            path: "/".into(),
        }]
    );
}

#[test]
fn a_tls_listener_has_its_files_and_a_websocket_its_path() {
    let text = "[[listen]]\ntransport = \"tls\"\ncertificate = \"a.crt\"\nkey = \"a.key\"\ncertificates = \"more\"\n\
                client_ca = \"ca.crt\"\n[[listen]]\ntransport = \"ws\"\naddress = \"0.0.0.0:8080\"\npath = \"/sip\"\n";
    let config = Config::parse(Path::new("r.toml"), text, &Overrides::default(), std::iter::empty()).unwrap();
    let files = TlsFiles {
        certificate: "a.crt".into(),
        key: "a.key".into(),
        more: Some("more".into()),
        client_ca: Some("ca.crt".into()),
    };
    assert_eq!(config.listen[0].tls, Some(files.clone()));
    assert_eq!(config.listen[0].address, "0.0.0.0:5061".parse().unwrap());
    assert_eq!((&*config.listen[1].path, &config.listen[1].tls), ("/sip", &None));

    let overrides = Overrides {
        listen: ["tls", "wss", "ws"].map(|name| format!("{name}:127.0.0.1:0")).to_vec(),
        ..Overrides::default()
    };
    let config = Config::parse(Path::new("r.toml"), text, &overrides, std::iter::empty()).unwrap();
    assert_eq!(config.listen[0].tls, Some(files), "an option says where, the file says with what");
    assert_eq!(config.listen[1].tls, None);
    assert_eq!(&*config.listen[2].path, "/sip");
}

#[test]
fn files_and_paths_stand_where_they_are_of_use() {
    assert_eq!(
        faults(
            "[[listen]]\ntransport = \"tls\"\nkey = \"a.key\"\n[[listen]]\naddress = \"[::1]:1\"\nclient_ca = \"x\"\n\
             [[listen]]\ntransport = \"wss\"\ncertificate = \"a.crt\"\n[[listen]]\ntransport = \"tcp\"\npath = \"/x\"\n"
        ),
        [
            "r.toml:2: a tls listener needs certificate: the PEM file of its chain",
            "r.toml:6: client_ca is for tls and wss; leave it out, or write transport = \"tls\"",
            "r.toml:8: a tls listener needs key: the PEM file of its private key",
            "r.toml:12: path is for ws and wss, and this listener speaks tcp; leave it out",
        ]
    );
}

#[test]
fn a_listener_that_can_not_be_is_refused() {
    assert_eq!(
        faults("[[listen]]\ntransport = \"quic\"\naddress = \"localhost:5061\"\n"),
        [
            "r.toml:2: transport: quic is not in this version yet; write udp, tcp, tls, ws or wss",
            "r.toml:3: address: \"localhost:5061\" is no address; write an IP address and a port, for example \
             0.0.0.0:5060 or [::]:5060",
        ]
    );
    assert_eq!(
        faults("[[listen]]\naddress = \"127.0.0.1:5060\"\n\n[[listen]]\naddress = \"127.0.0.1:5060\"\nport = 1\n"),
        [
            "r.toml:5: udp 127.0.0.1:5060 is listed twice; remove one of the two",
            "r.toml:6: [listen] has no key port; its keys are transport, address, advertise, certificate, key, \
             certificates, client_ca, path",
        ]
    );
    assert_eq!(
        faults("[[listen]]\nadvertise = \"0.0.0.0\"\n"),
        ["r.toml:2: advertise: 0.0.0.0 is a wildcard, which nobody can call; write the address that others reach"]
    );
}

#[test]
fn options_replace_the_listeners_and_the_data_directory() {
    let overrides = Overrides {
        data: Some("/srv/x".into()),
        listen: vec!["udp:127.0.0.1:0".into(), "tcp:[::1]:5062".into(), "udp:127.0.0.1:0".into()],
        http: Some("127.0.0.1:0".into()),
        ..Overrides::default()
    };
    let text = "[node]\ndata_dir = \"/elsewhere\"\n[[listen]]\naddress = \"0.0.0.0:5099\"\n";
    let config = Config::parse(Path::new("r.toml"), text, &overrides, std::iter::empty()).unwrap();
    let listeners: Vec<_> =
        config.listen.iter().map(|listen| format!("{} {}", listen.transport, listen.address)).collect();
    assert_eq!(listeners, ["udp 127.0.0.1:0", "tcp [::1]:5062", "udp 127.0.0.1:0"]);
    assert_eq!(config.node.data_dir, Path::new("/srv/x"));
    assert_eq!(config.node.key_file, Path::new("/srv/x/master.key"));
    assert_eq!(config.database.path(), Path::new("/srv/x/ringway.db"));
    assert_eq!(config.http.address.port(), 0);
}

#[test]
fn an_option_that_can_not_be_read_is_told_by_its_name() {
    let overrides = Overrides {
        listen: vec!["127.0.0.1:5060".into(), "udp".into()],
        http: Some("8080".into()),
        ..Overrides::default()
    };
    let faults = Config::parse(Path::new("r.toml"), "", &overrides, std::iter::empty()).unwrap_err();
    let lines: Vec<_> = faults.0.iter().map(Fault::to_string).collect();
    assert_eq!(
        lines,
        [
            "--http: \"8080\" is no address; write an IP address and a port, for example 127.0.0.1:8080",
            "--listen: 127.0.0.1:5060: \"127.0.0.1\" is no transport; write udp, tcp, tls, ws or wss",
            "--listen: udp: write TRANSPORT:ADDRESS:PORT, for example udp:127.0.0.1:5060",
        ]
    );
}

#[test]
fn the_environment_takes_the_place_of_the_file() {
    let environment = [
        ("RINGWAY_REGISTRAR__MAX_EXPIRES", "7200"),
        ("RINGWAY_NODE__HIDE_VERSION", "true"),
        ("RINGWAY_NODE__DATA_DIR", "/srv/e"),
        ("RINGWAY_TOKEN", "not a setting"),
        ("HOME", "/root"),
    ];
    let config = read_with("[registrar]\nmax_expires = 1200\n", &environment).unwrap();
    assert_eq!(config.registrar.max_expires, 7200);
    assert!(config.node.hide_version);
    assert_eq!(config.node.data_dir, Path::new("/srv/e"));
}

#[test]
fn a_mistake_in_the_environment_is_told_by_the_variable() {
    let environment = [
        ("RINGWAY_REGISTRAR__MAX_EXPIRES", "1h"),
        ("RINGWAY_REGISTRAR__MAX_EXPIRE", "7200"),
        ("RINGWAY_AUTH__ALGORITHMS", "MD5"),
        ("RINGWAY_COLOUR__OF_SKY", "blue"),
    ];
    assert_eq!(
        faults_with("", &environment),
        [
            "environment RINGWAY_AUTH__ALGORITHMS: this setting is a list; write it in the file",
            "environment RINGWAY_COLOUR__OF_SKY: there is no such setting; remove it",
            "environment RINGWAY_REGISTRAR__MAX_EXPIRE: there is no such setting; did you mean \
             RINGWAY_REGISTRAR__MAX_EXPIRES?",
            "environment RINGWAY_REGISTRAR__MAX_EXPIRES: max_expires is no whole number; write a whole number from 1 \
             to 86400 (seconds), for example RINGWAY_REGISTRAR__MAX_EXPIRES=3600",
        ]
    );
}

#[test]
fn a_variable_with_our_prefix_that_is_no_setting_is_refused() {
    let environment = [
        ("RINGWAY_REGISTRAR_MAX_EXPIRES", "9"),
        ("RINGWAY_FOO", "1"),
        ("RINGWAY_LISTEN__ADDRESS", "127.0.0.1:5999"),
        ("RINGWAY_LISTEN__PATH", "/x"),
    ];
    assert_eq!(
        faults_with("", &environment),
        [
            "environment RINGWAY_FOO: there is no such setting; remove it",
            "environment RINGWAY_LISTEN__ADDRESS: this setting is a list; write it in the file",
            "environment RINGWAY_LISTEN__PATH: this setting is a list; write it in the file",
            "environment RINGWAY_REGISTRAR_MAX_EXPIRES: there is no such setting; did you mean \
             RINGWAY_REGISTRAR__MAX_EXPIRES?",
        ]
    );
    let others = ["RINGWAY_TOKEN", "RINGWAY_SEED", "RINGWAY_SEEDS", "RINGWAY_KILL_SEEDS", "RINGWAY_SKIP_NAMESPACES"];
    read_with("", &others.map(|name| (name, "1"))).unwrap();
}

#[test]
fn what_comes_with_a_later_version_may_stand_at_its_default_and_nowhere_else() {
    let text = "\
[plugins]
dir = \"plugins\"
cpu_ms = 20
";
    read(text);
    assert_eq!(
        faults(
            "[redis]\nurl = \"redis-ring://u:secret@h\"\n[plugins]\ncpu_ms = 30\n[database]\nurl = \"postgres://u:p@h\"\n"
        ),
        [
            "r.toml:2: url: redis-ring is not known; it is redis://HOST:PORT, redis-cluster://HOST:PORT,HOST:PORT or \
             redis-sentinel://HOST:PORT,HOST:PORT/NAME, with rediss for TLS",
            "r.toml:4: plugins.cpu_ms is not in this version yet; leave it out",
            "r.toml:6: url: PostgreSQL is not in this version yet; leave it empty for SQLite in the data directory",
        ]
    );
}

#[test]
fn the_database_may_be_another_file() {
    let config = read("[database]\nurl = \"sqlite:///var/lib/r.db\"\n");
    assert_eq!(config.database.path(), Path::new("/var/lib/r.db"));
    assert_eq!(faults("[database]\nurl = \"mysql://h\"\n").len(), 1);
}

#[test]
fn a_named_file_that_is_not_there_is_an_error_and_an_unnamed_one_is_not() {
    let overrides = Overrides { file: Some("/nowhere/r.toml".into()), ..Overrides::default() };
    let faults = Config::load(&overrides, std::iter::empty()).unwrap_err();
    assert_eq!(faults.to_string(), "/nowhere/r.toml: there is no such file");
}
