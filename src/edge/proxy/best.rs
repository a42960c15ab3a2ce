//! Choosing the best response (RFC 3261 section 16.7, step 6).

/// The rank of a final status; the lowest is the best.
///
/// A 6xx beats all. Otherwise the lowest class wins, and within 4xx first what tells the caller how to try again, then
/// what a person decided, then everything else; a 408, ours or not, says least.
pub(super) const fn rank(status: u16) -> u16 {
    match status {
        600.. => 0,
        300..=399 => 300,
        401 | 407 => 400,
        415 | 420 | 484 => 410,
        486 => 420,
        408 => 490,
        400..=499 => 430,
        503 => 590,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_response_is_a_6xx_then_the_lowest_class_then_the_one_that_helps_most() {
        let order = [603, 302, 407, 415, 486, 404, 408, 500, 503];
        for pair in order.windows(2) {
            assert!(rank(pair[0]) < rank(pair[1]), "{pair:?}");
        }
    }
}
