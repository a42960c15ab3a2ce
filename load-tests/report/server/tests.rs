use super::*;
use crate::report::thread_cpu;
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn a_process_that_does_not_exist_is_told_before_the_run() {
    let fault = ServerWatch::new(&[std::process::id(), 4_194_305], None).unwrap_err();
    assert_eq!(fault, "there is no process 4194305: give the numbers of the server's processes, such as 812,815");
}

#[test]
fn metrics_that_are_not_ringways_are_told_before_the_run() {
    let url = serve(vec!["up 1\n".to_owned()]);
    let fault = ServerWatch::new(&[], Some(&url)).unwrap_err();
    let expected = "has no histogram ringway_sip_request_duration_seconds: give the URL of Ringway's own metrics";
    assert_eq!(fault, format!("{url} {expected}"));
}

#[test]
fn processor_and_memory_of_a_process_are_those_of_the_measured_part() {
    let mut watch = ServerWatch::new(&[std::process::id()], None).unwrap();
    watch.begin();
    let begun = thread_cpu();
    // The kernel adds a thread that runs to its process with each tick, of which the slowest is 10 ms.
    while thread_cpu() < begun + 23_000_000 {}
    watch.end();
    let share = watch.share();
    let process = &share.processes[0];
    assert_eq!((process.pid, share.cpu_seconds), (std::process::id(), process.cpu_seconds));
    // Other tests run in this process, so there is no upper limit.
    assert!(process.cpu_seconds.unwrap() >= 0.003, "{process:?}");
    assert!(process.memory_after.unwrap() > 100_000, "{process:?}");
    assert_eq!((share.notes, share.requests.len()), (Vec::new(), 0));
}

#[test]
fn a_process_that_ends_leaves_no_figure_but_a_note() {
    let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut watch = ServerWatch::new(&[child.id(), std::process::id()], None).unwrap();
    watch.begin();
    drop(child.stdin.take());
    child.wait().unwrap();
    watch.end();
    let share = watch.share();
    assert_eq!((share.cpu_seconds, share.processes[0].cpu_seconds), (None, None));
    assert!(share.processes[1].cpu_seconds.is_some());
    let name = &share.processes[0].name;
    assert_eq!(
        share.notes,
        [format!("Process {} ({name}) ended during the run: the server's CPU time is not known.", child.id())]
    );
}

#[test]
fn the_servers_own_latencies_are_those_of_the_measured_part() {
    let page = |fast: u64, all: u64, sum: f64| {
        let name = REQUEST_DURATION;
        format!(
            "{name}_bucket{{method=\"BYE\",le=\"+Inf\"}} 7\n{name}_bucket{{method=\"REGISTER\",le=\"0.0001\"}} {fast}\n\
             {name}_bucket{{method=\"REGISTER\",le=\"0.0002\"}} {all}\n{name}_bucket{{method=\"REGISTER\",le=\"+Inf\"}} \
             {all}\n{name}_sum{{method=\"REGISTER\"}} {sum}\n"
        )
    };
    let url = serve(vec![page(0, 0, 0.0), page(900, 1000, 0.05), page(990, 1100, 0.06)]);
    let mut watch = ServerWatch::new(&[], Some(&url)).unwrap();
    watch.begin();
    // The second look must come after the first was answered: the pages are handed out in turn.
    while watch.begun.as_ref().is_some_and(|look| !look.slow.is_finished()) {
        std::thread::yield_now();
    }
    watch.end();
    let share = watch.share();
    assert_eq!((share.cpu_seconds, &share.notes), (None, &Vec::new()));
    assert_eq!(share.requests.keys().collect::<Vec<_>>(), ["REGISTER"]);
    let register = &share.requests["REGISTER"];
    assert_eq!(register.count, 100);
    for (found, expected) in [(register.mean, 0.0001), (register.p50, 0.0001 * 50.0 / 90.0), (register.p99, 0.00019)] {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
    }
}

#[test]
fn metrics_that_fail_during_the_run_leave_a_note() {
    let text = format!("{REQUEST_DURATION}_bucket{{method=\"BYE\",le=\"+Inf\"}} 7\n");
    let url = serve(vec![text]);
    let mut watch = ServerWatch::new(&[], Some(&url)).unwrap();
    watch.begin();
    watch.end();
    let notes = watch.share().notes;
    let expected = format!("The server's own latencies are not known: {url} could not be read");
    assert!(notes.len() == 1 && notes[0].starts_with(&expected), "{notes:?}");
}

/// Answers with each page in turn, then listens no more.
fn serve(pages: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut pages = pages.into_iter().peekable();
        while let Some(page) = pages.next() {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).unwrap() > 0);
            if pages.peek().is_none() {
                // Closed before the last answer, so that whoever has it finds nobody listening afterwards.
                drop(listener);
                stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{page}").as_bytes()).unwrap();
                return;
            }
            stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{page}").as_bytes()).unwrap();
        }
    });
    url
}
