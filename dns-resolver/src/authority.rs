//! Answers for our own domain: from a zone, and signed where there is a key.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use crate::answer::{Answer, Question, answer_with};
use crate::dnssec::signer::Signer;
use crate::rdata::rtype;
use crate::zone::Zone;

/// Why there is no answer: the zone could not be read, or a signature not be made.
pub(crate) type AnswerError = Box<dyn Error + Send + Sync>;

/// What answers are made with beside the zone.
pub(crate) struct Authority {
    /// The addresses of `ns.dotp2p.<tld>.`.
    pub servers: Vec<IpAddr>,
    /// `None`: the zone is not signed.
    pub signer: Option<Arc<Signer>>,
}

impl Authority {
    /// The answer from `zone`, with signatures where `proofs` are wanted (DO).
    pub fn answer(&self, zone: &dyn Zone, question: &Question, proofs: bool) -> Result<Answer, AnswerError> {
        let mut answer = match &self.signer {
            None => answer_with(zone, &self.servers, question, None)?,
            Some(signer) => {
                let keys = signer.keys();
                let mut answer = answer_with(zone, &self.servers, question, Some(keys.added(proofs)))?;
                signer.sign(&keys, &mut answer, proofs)?;
                answer
            }
        };
        if !proofs {
            // Only who asks for DNSSEC is told of it beside a referral (RFC 4035 3.1).
            answer.authority.retain(|rr| rr.rtype != rtype::DS);
        }
        Ok(answer)
    }
}
