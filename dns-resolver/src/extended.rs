//! Extended DNS Errors (RFC 8914): why an answer is as it is, where the code alone does not tell.

use std::borrow::Cow;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::opt::EdnsOption;

use crate::answer::{Answer, Question};
use crate::zone::{Condition, Zone};

/// The option's code.
pub(crate) const OPTION: u16 = 15;

/// An extended error, of ours or passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExtendedError {
    /// INFO-CODE.
    pub code: u16,
    /// EXTRA-TEXT, for people, in UTF-8 as far as its sender minds.
    pub text: Cow<'static, [u8]>,
}

const STALE: &str = "no new block for a day";
const STALE_ANSWER: ExtendedError = ExtendedError::ours(3, STALE);
const STALE_NXDOMAIN: ExtendedError = ExtendedError::ours(19, STALE);
const NOT_READY: ExtendedError = ExtendedError::ours(14, "the chain is being synchronised");
const LAPSED: ExtendedError = ExtendedError::ours(0, "the name has expired; its owner can still renew it");
/// The records are there and cannot be read, or not be signed.
pub(crate) const UNREADABLE: ExtendedError = ExtendedError::ours(0, "the name's records cannot be read");

impl ExtendedError {
    pub const fn ours(code: u16, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text.as_bytes()) }
    }

    pub fn new(code: u16, text: impl Into<Vec<u8>>) -> Self {
        Self { code, text: Cow::Owned(text.into()) }
    }

    pub fn option(&self) -> EdnsOption {
        EdnsOption::Unknown(OPTION, [&self.code.to_be_bytes(), &*self.text].concat())
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
