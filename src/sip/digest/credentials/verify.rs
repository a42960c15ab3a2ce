//! Whether credentials prove the password (RFC 7616 section 3.4.1).

use super::super::hash::{Hash, hash_of};
use super::{Credentials, Qop};

impl Credentials<'_> {
    /// Whether the response is what somebody with this HA1 answers. The comparison takes the same time wherever it fails.
    ///
    /// An HA1 of another algorithm than the credentials' proves nothing. `body` counts only for `auth-int`.
    pub fn verify(&self, ha1: &Hash, method: &[u8], body: &[u8]) -> bool {
        self.verify_with(ha1, &self.ha2(method, body))
    }

    /// The same with an [HA2](Self::ha2) that is known already.
    pub fn verify_with(&self, ha1: &Hash, ha2: &Hash) -> bool {
        let expected = self.expected(ha1, ha2);
        let sent = Hash::from_hex(self.algorithm, self.response);
        ha1.algorithm() == self.algorithm && sent.is_some_and(|sent| sent == expected)
    }

    /// HA2, the hash of what is asked for (RFC 7616 section 3.4.3).
    pub fn ha2(&self, method: &[u8], body: &[u8]) -> Hash {
        let algorithm = self.algorithm;
        match self.qop {
            Some(Qop::AuthInt) => {
                let body = hash_of(algorithm, &[body]).hex();
                hash_of(algorithm, &[method, b":", self.uri, b":", body.as_ref()])
            }
            Some(Qop::Auth) | None => hash_of(algorithm, &[method, b":", self.uri]),
        }
    }

    fn expected(&self, ha1: &Hash, ha2: &Hash) -> Hash {
        let (ha1, ha2) = (ha1.hex(), ha2.hex());
        let (ha1, ha2) = (ha1.as_ref(), ha2.as_ref());
        match self.qop {
            None => hash_of(self.algorithm, &[ha1, b":", self.nonce, b":", ha2]),
            Some(_) => {
                let cnonce = self.cnonce.unwrap_or_default();
                let parts = [ha1, b":", self.nonce, b":", self.nc_text, b":", cnonce, b":", self.qop_text, b":", ha2];
                hash_of(self.algorithm, &parts)
            }
        }
    }
}
