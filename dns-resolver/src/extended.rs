//! Extended DNS Errors (RFC 8914): why an answer is as it is, where the code alone does not tell.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::opt::EdnsOption;

use crate::answer::{Answer, Question};
use crate::zone::{Condition, Zone};

/// The option's code.
const OPTION: u16 = 15;

/// An extended error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtendedError {
    /// INFO-CODE.
    pub code: u16,
    /// EXTRA-TEXT, for people.
    pub text: &'static str,
}

const STALE_ANSWER: ExtendedError = ExtendedError { code: 3, text: "no new block for a day" };
const STALE_NXDOMAIN: ExtendedError = ExtendedError { code: 19, text: STALE_ANSWER.text };
const NOT_READY: ExtendedError = ExtendedError { code: 14, text: "the chain is being synchronised" };
const LAPSED: ExtendedError = ExtendedError { code: 0, text: "the name has expired; its owner can still renew it" };
/// The records are there and cannot be read.
pub(crate) const UNREADABLE: ExtendedError = ExtendedError { code: 0, text: "the name's records cannot be read" };

impl ExtendedError {
    pub fn option(self) -> EdnsOption {
        EdnsOption::Unknown(OPTION, [&self.code.to_be_bytes(), self.text.as_bytes()].concat())
    }
}

/// What there is to tell of an answer from `zone`.
pub(crate) fn of(zone: &dyn Zone, question: &Question, answer: &Answer) -> Option<ExtendedError> {
    let is_missing = answer.rcode == ResponseCode::NXDomain;
    match zone.condition() {
        // What is no question for this zone depends on no chain.
        _ if answer.rcode == ResponseCode::Refused => None,
        Condition::Syncing => Some(NOT_READY),
        Condition::Stale if is_missing => Some(STALE_NXDOMAIN),
        Condition::Stale => Some(STALE_ANSWER),
        Condition::Current => {
            let label = question.name.iter().rev().nth(1).filter(|_| is_missing)?;
            zone.has_lapsed(label).then_some(LAPSED)
        }
    }
}
