//! What a job has come to as CSV: a row for each fault, and then one for each password that was drawn.

use super::cells;
use super::report::{GeneratedSecret, RowFault};

/// The file, with its header.
pub fn result(faults: &[RowFault], secrets: &[GeneratedSecret]) -> String {
    let mut lines = "line,column,code,message,extension_number,auth_name,extension_password\r\n".to_owned();
    for fault in faults {
        lines.push_str(&format!("{},", fault.line));
        // Headers are the sender's own words: none of them runs as a formula.
        for text in [&*fault.column, &*fault.code, &*fault.message] {
            cells::write(&mut lines, text);
            lines.push(',');
        }
        lines.push_str(",,\r\n");
    }
    for secret in secrets {
        lines.push_str(",,,,");
        cells::write(&mut lines, &secret.extension_number);
        lines.push(',');
        cells::write(&mut lines, &secret.auth_name);
        // A password that was drawn holds nothing that needs quotes, and programs take it as it is.
        lines.push_str(&format!(",{}\r\n", secret.extension_password));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_first_then_passwords_and_no_header_of_the_sender_s_runs_as_a_formula() {
        let fault = RowFault { line: 7, column: "=cmd()".to_owned(), code: "X".into(), message: "a, b".into() };
        let secret = GeneratedSecret {
            extension_number: "007".to_owned(),
            auth_name: "=x".to_owned(),
            extension_password: "-abc".to_owned(),
            voicemail_pin: String::new(),
        };
        let expected = "line,column,code,message,extension_number,auth_name,extension_password\r\n\
                        7,'=cmd(),X,\"a, b\",,,\r\n\
                        ,,,,\"007\",'=x,-abc\r\n";
        assert_eq!(result(&[fault], &[secret]), expected);
    }
}
