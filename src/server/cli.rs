//! The command line: what each verb is called, takes and says.

mod backup;
mod bans;
mod capture;
mod check;
mod extension;
mod grammar;
mod passwords;
mod progress;
mod reach;
mod registrations;
mod resolve;
mod table;
mod tenant;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::console::complain;
use crate::failure::Failure;
use crate::serve::{Wishes, serve};
use grammar::{Arguments, BansVerb, CaptureVerb, ExtensionVerb, ServeArguments, TenantVerb, Verb};

/// Runs one command of the `ringway` binary and answers its exit code: 0 done, 1 failed, 2 usage or configuration.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(arguments),
        Err(help_or_mistake) => {
            // Help and version go to standard output and are no failure; a mistake goes to standard error.
            let _ = help_or_mistake.print();
            return ExitCode::from(u8::try_from(help_or_mistake.exit_code()).unwrap_or(2));
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            failure.exit_code()
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { common, serve: without_verb, verb } = arguments;
    if verb.is_some() && without_verb != ServeArguments::default() {
        let reason = "--demo, --listen and --http belong to serve; write them behind it: ringway serve --demo";
        return Err(Failure::Usage(reason.to_owned()));
    }
    let (verb, serve_arguments) = match verb {
        None => (Verb::Serve(ServeArguments::default()), without_verb),
        Some(Verb::Serve(arguments)) => (Verb::Serve(ServeArguments::default()), arguments),
        Some(other) => (other, ServeArguments::default()),
    };
    let is_demo = serve_arguments.demo;
    let overrides = common.overrides(serve_arguments);
    match verb {
        Verb::Serve(_) => serve(&Wishes { overrides, is_demo }),
        Verb::Backup(arguments) => backup::backup(&overrides, &arguments),
        Verb::Restore(arguments) => backup::restore(&overrides, &arguments),
        Verb::Check => check::check(&overrides),
        Verb::Resolve(arguments) => resolve::resolve(&arguments),
        Verb::Tenant { verb: TenantVerb::Add(arguments) } => tenant::add(&overrides, arguments),
        Verb::Tenant { verb: TenantVerb::List } => tenant::list(&overrides),
        Verb::Tenant { verb: TenantVerb::Set(arguments) } => tenant::set(&overrides, arguments),
        Verb::Bans { verb: BansVerb::List { json } } => bans::list(&overrides, json),
        Verb::Bans { verb: BansVerb::Add(arguments) } => bans::add(&overrides, arguments),
        Verb::Bans { verb: BansVerb::Remove { source } } => bans::remove(&overrides, source),
        Verb::Extension { verb: ExtensionVerb::Add(arguments) } => extension::add(&overrides, arguments),
        Verb::Extension { verb: ExtensionVerb::Import(arguments) } => extension::import(&overrides, &arguments),
        Verb::Extension { verb: ExtensionVerb::Export(arguments) } => extension::export(&overrides, &arguments),
        Verb::Capture(arguments) => match &arguments.verb {
            Some(CaptureVerb::Ladder { file }) => capture::ladder(file, arguments.ascii),
            None => capture::capture(&overrides, &arguments),
        },
        Verb::Extension { verb: ExtensionVerb::Registrations(arguments) } => registrations::show(&overrides, arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::control::protocol::ModeWord;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_verb_a_node_is_served() {
        let arguments = parse("ringway --demo --listen udp:127.0.0.1:0 --listen tcp:127.0.0.1:0 --data d").unwrap();
        assert!(arguments.verb.is_none() && arguments.serve.demo);
        let overrides = arguments.common.overrides(arguments.serve);
        assert_eq!(overrides.listen, ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]);
        assert_eq!(overrides.data.as_deref(), Some(std::path::Path::new("d")));
    }

    #[test]
    fn every_verb_takes_a_configuration_and_a_data_directory_before_it_and_behind_it() {
        for line in [
            "ringway --config c --data d tenant list",
            "ringway tenant list --config c --data d",
            "ringway serve --config c --data d --http 127.0.0.1:0",
            "ringway check --config c --data d",
            "ringway extension export --tenant a.example --config c --data d",
        ] {
            let arguments = parse(line).unwrap();
            let overrides = arguments.common.overrides(ServeArguments::default());
            assert_eq!(overrides.file.as_deref(), Some(std::path::Path::new("c")), "{line}");
            assert_eq!(overrides.data.as_deref(), Some(std::path::Path::new("d")), "{line}");
        }
    }

    #[test]
    fn what_belongs_to_serve_is_refused_elsewhere() {
        let failure = dispatch(parse("ringway --demo tenant list").unwrap()).unwrap_err();
        assert!(matches!(failure, Failure::Usage(reason) if reason.contains("ringway serve --demo")));
        assert!(parse("ringway tenant list --demo").is_err());
    }

    #[test]
    fn a_tenant_s_aliases_and_networks_may_be_many() {
        let line = "ringway tenant add a.example --name A --alias b.example --alias c.example --trust 192.0.2.0/24 \
                    --max-extensions 5 --max-calls 2 --media always --max-media 9 --max-call-seconds 600 --acknowledge redis";
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(Verb::Tenant { verb: TenantVerb::Add(add) }) = parse(&line).unwrap().verb else { panic!() };
        assert_eq!(add.alias, ["b.example", "c.example"]);
        assert_eq!((add.max_extensions, add.max_calls, add.max_media), (Some(5), Some(2), Some(9)));
        assert_eq!(add.max_call_seconds, Some(600));
        assert!(parse("ringway tenant set a.example").is_err(), "there is something to set");
        assert!(parse("ringway tenant set a.example --max-call-seconds 0").is_ok());
        assert!(parse("ringway tenant set a.example --acknowledge memory").is_ok());
        assert!(parse("ringway tenant set a.example --acknowledge disk").is_err());
        assert_eq!(add.media.as_deref(), Some("always"));
    }

    #[test]
    fn an_import_creates_unless_it_is_told_otherwise() {
        let import = |line: &str| match parse(line).unwrap().verb {
            Some(Verb::Extension { verb: ExtensionVerb::Import(import) }) => import,
            _ => panic!("{line}"),
        };
        assert_eq!(import("ringway extension import --tenant a.example x.csv").mode, ModeWord::Create);
        let other = import("ringway extension import --tenant a.example x.csv --mode upsert --dry-run");
        assert!(other.mode == ModeWord::Upsert && other.dry_run);
        assert!(!other.keep_good);
        assert!(import("ringway extension import --tenant a.example x.csv --keep-good").keep_good);
        assert!(parse("ringway extension import --tenant a.example x.csv --mode replace").is_err());
        assert!(parse("ringway extension import x.csv").is_err());
    }

    #[test]
    fn a_capture_says_what_it_wants_or_that_it_wants_everything() {
        let refused = |line: &str| match parse(line).map(dispatch) {
            Ok(Err(Failure::Usage(reason))) => reason,
            Err(mistake) => mistake.to_string(),
            other => panic!("{line}: {other:?}"),
        };
        assert!(refused("ringway capture --ladder").contains("--all"));
        assert!(refused("ringway capture --tenant a.example").contains("--out FILE"));
        assert!(refused("ringway capture --all --tenant a.example --ladder").contains("cannot be used with"));
        assert!(refused("ringway capture --all --ladder --seconds 0").contains("1..=86400"));
        assert!(refused("ringway capture --all --hep 192.0.2.9").contains("udp:192.0.2.9:9060"));
        let Some(Verb::Capture(ladder)) = parse("ringway capture ladder x.pcap --ascii").unwrap().verb else {
            panic!()
        };
        assert!(ladder.ascii && matches!(ladder.verb, Some(CaptureVerb::Ladder { .. })));
    }

    #[test]
    fn a_mistake_on_the_command_line_is_exit_code_2_and_help_is_0() {
        assert_eq!(parse("ringway srve").unwrap_err().exit_code(), 2);
        assert_eq!(parse("ringway --help").unwrap_err().exit_code(), 0);
    }
}
