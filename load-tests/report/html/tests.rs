use super::*;
use crate::report::{Recorder, sample};

#[test]
fn a_page_has_its_plots_and_needs_nothing_from_elsewhere() {
    let page = html(&sample::long()).unwrap();
    assert_eq!(page.matches("<svg ").count(), 3);
    let allowed = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for word in ["http://", "https://", "<script", "<img", "@import", "url("] {
        assert!(!allowed.contains(word), "{word}");
    }
    assert_eq!(page.matches("<section").count(), page.matches("</section>").count());
    assert!(!page.contains(" us<"), "durations are in µs on a page");
}

#[test]
fn what_the_server_said_is_shown_as_text() {
    let mut recorder = Recorder::new(0);
    recorder.started(0);
    recorder.failed("403 <script>alert('1')</script> & \"more\"");
    recorder.end(1_000_000_000);
    let page = html(&sample::report(&recorder)).unwrap();
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(page.matches("403 &lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;more&quot;").count(), 2);
    assert!(page.contains("<section class=\"verdict invalid\">Invalid: none of 1 operations succeeded"));
}

#[test]
fn a_run_in_which_nothing_happened_has_a_page_too() {
    for seconds in [0, 1, 3] {
        let mut recorder = Recorder::new(0);
        recorder.end(seconds * 1_000_000_000);
        let page = html(&sample::report(&recorder)).unwrap();
        assert!(page.contains("no operation was started"), "{page}");
    }
}

#[test]
fn every_colour_of_the_plots_has_another_on_a_dark_page() {
    let page = html(&sample::long()).unwrap();
    for part in page.split("=\"#").skip(1) {
        let colour = &part[..6];
        if colour != "000000" {
            assert!(plots::STYLE.contains(colour), "#{colour}");
        }
    }
}

/// Run with `PAGE=/tmp/report.html cargo test -p ringway-load writes_a_page -- --ignored`, then look at it.
#[test]
#[ignore = "writes a page for a person to look at"]
fn writes_a_page() {
    let path = std::env::var("PAGE").expect("PAGE names the file");
    std::fs::write(path, html(&sample::long()).unwrap()).unwrap();
}
