//! The links between a program and the node's DNS, each judged from what was heard: pure, and what to do is said here.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record};
use serde::Serialize;

use super::query::extended_errors;
use crate::dns_client::rcode_text;

/// An ordinary name is one that is there.
const NO_SUCH_NAME: &str = "if there is such a name, the servers behind do not say what is so: of a captive portal, or of a \
                            network without the Internet? If there is none, say another with --ordinary";

/// What was heard: an answer, or why there is none.
pub(super) type Heard = Result<Message, String>;

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It holds.
    Ok,
    /// It does not.
    Broken,
    /// It was not looked at.
    Skipped,
}

/// A link on the way of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Link {
    /// Which.
    pub link: String,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub seen: String,
    /// What to do, where it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Link {
    pub(super) fn ok(link: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { link: link.into(), state: State::Ok, seen: seen.into(), fix: None }
    }

    pub(super) fn broken(link: impl Into<String>, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { link: link.into(), state: State::Broken, seen: seen.into(), fix: Some(fix.into()) }
    }

    /// The same of a server that is asked only while those before it do not answer: nothing is broken by it.
    pub(super) fn aside(self) -> Self {
        match self.state {
            State::Broken => {
                Self::skipped(self.link, format!("{}; asked only while those before it do not answer", self.seen))
            }
            _ => self,
        }
    }

    pub(super) fn skipped(link: impl Into<String>, why: impl Into<String>) -> Self {
        Self { link: link.into(), state: State::Skipped, seen: why.into(), fix: None }
    }
}

/// What the domain's SOA says: the serial, if the server named there is that of a node.
pub(super) fn serial(message: &Message, tld: &str) -> Option<u32> {
    let soa = |record: &Record| match &record.data {
        RData::SOA(soa) => Some((soa.mname.to_ascii().to_ascii_lowercase(), soa.serial)),
        _ => None,
    };
    let (server, serial) = message.answers.iter().find_map(soa)?;
    (server == format!("ns.dotp2p.{tld}.")).then_some(serial)
}

/// The node at its own address; `heard`: the domain's SOA over UDP and over TCP.
pub(super) fn node_dns(server: SocketAddr, tld: &str, heard: [(&str, &Heard); 2]) -> Link {
    let link = format!("DNS at {server}");
    for (transport, heard) in heard {
        match heard {
            Err(why) => {
                let fix = "is the node running, and does --dns-listen name this address? If so, a firewall is between";
                return Link::broken(link, format!("over {transport}: {why}"), fix);
            }
            Ok(message) if serial(message, tld).is_none() || !message.metadata.authoritative => {
                let fix =
                    format!("another server has this address; say with --server where the node answers for .{tld}");
                return Link::broken(link, format!("over {transport}: {}, but not as the node", status(message)), fix);
            }
            Ok(_) => {}
        }
    }
    let serial = heard[0].1.as_ref().ok().and_then(|message| serial(message, tld));
    Link::ok(link, format!("answers for .{tld} over UDP and TCP, serial {}", serial.unwrap_or_default()))
}

/// What the node does with names that are not its own. Not to pass them on is no fault: a resolver need not ask it for them.
pub(super) fn node_passes_on(server: SocketAddr, ordinary: &str, heard: &Heard) -> Link {
    let link = format!("{ordinary} at {server}");
    let message = match heard {
        Ok(message) => message,
        Err(why) => return Link::broken(link, why.clone(), "see the node's log"),
    };
    match message.metadata.response_code {
        ResponseCode::NoError => Link::ok(link, format!("{}: it passes names on", status(message))),
        ResponseCode::NXDomain => Link::broken(link, status(message), NO_SUCH_NAME),
        ResponseCode::Refused => Link::ok(link, "REFUSED: it answers for its own domain alone"),
        _ => Link::broken(
            link,
            status(message),
            "the servers that the node passes names on to do not answer: see its log",
        ),
    }
}

/// What the node says of a name that somebody wants to reach.
pub(super) fn node_has(server: SocketAddr, name: &str, heard: &Heard) -> Link {
    let link = format!("{name} at {server}");
    match heard {
        Err(why) => Link::broken(link, why.clone(), "see the node's log"),
        Ok(message) => match message.metadata.response_code {
            ResponseCode::NoError if addresses(message).is_empty() => Link::ok(link, status(message)),
            ResponseCode::NoError => Link::ok(link, list(&addresses(message))),
            ResponseCode::NXDomain => {
                let fix = "the node knows no such name: `dotp2p name show` says whether it is registered, and its records \
                           whether there is something below it";
                Link::broken(link, status(message), fix)
            }
            _ => Link::broken(link, status(message), "see the node's log"),
        },
    }
}

/// Whether anybody answers at the address of one of the system's servers.
pub(super) fn resolver(server: SocketAddr, ordinary: &str, heard: &Heard) -> Link {
    let link = format!("resolver {server}");
    match heard {
        Err(why) => Link::broken(link, why.clone(), "start the resolver, or take its address out of /etc/resolv.conf"),
        Ok(message) => match message.metadata.response_code {
            ResponseCode::NoError if !message.answers.is_empty() => Link::ok(link, format!("resolves {ordinary}")),
            ResponseCode::NoError => Link::ok(link, format!("answers; {ordinary} has no address")),
            ResponseCode::NXDomain => Link::broken(link, format!("{ordinary}: {}", status(message)), NO_SUCH_NAME),
            _ => {
                let fix = format!(
                    "the resolver reaches no server for {ordinary}: look at its upstream servers, and at its log"
                );
                Link::broken(link, format!("{ordinary}: {}", status(message)), fix)
            }
        },
    }
}

/// Whether one of the system's servers asks our node.
///
/// - `node`: the serial that the node has.
/// - `heard`: the domain's SOA from that server; `unchecked`: the same with checking disabled.
pub(super) fn asks_node(server: SocketAddr, tld: &str, node: Option<u32>, heard: &Heard, unchecked: &Heard) -> Link {
    let link = format!("resolver {server} asks the node");
    let setup = "`dotp2p dns setup` has it ask the node; if that was done, it has not read its files anew";
    let message = match heard {
        Err(why) => return Link::broken(link, why.clone(), setup),
        Ok(message) => message,
    };
    if let Some(serial) = serial(message, tld) {
        let checked = if message.metadata.authentic_data { ", signatures checked" } else { "" };
        return Link::ok(
            link,
            match node {
                Some(node) if node != serial => {
                    format!("serial {serial}, the node's is {node}: from a cache, or of another node")
                }
                _ => format!("serial {serial}{checked}"),
            },
        );
    }
    let seen = format!(".{tld}: {}", status(message));
    let passes_unchecked = unchecked.as_ref().is_ok_and(|message| serial(message, tld).is_some());
    match message.metadata.response_code {
        ResponseCode::ServFail if passes_unchecked => {
            let fix =
                "the resolver has no trust anchor for the node's keys, or an old one: `dotp2p dns setup` hands it over";
            Link::broken(link, format!("{seen}; without checking of signatures it answers"), fix)
        }
        ResponseCode::ServFail => {
            let fix = "it knows whom to ask and gets no answer: is the address that it was told the node's? `dotp2p dns setup` \
                       renews it";
            Link::broken(link, seen, fix)
        }
        ResponseCode::NoError if !message.answers.is_empty() => {
            Link::broken(link, format!("{seen}, from somebody else's .{tld}"), setup)
        }
        _ => Link::broken(link, seen, setup),
    }
}

/// Whether a name has the same answer there and at the node.
pub(super) fn same_answer(server: SocketAddr, name: &str, node: &Heard, heard: &Heard) -> Link {
    let link = format!("{name} at {server}");
    let (node, message) = match (node, heard) {
        (Ok(node), Ok(message)) => (node, message),
        (Err(why), _) => return Link::skipped(link, format!("the node does not say: {why}")),
        (_, Err(why)) => return Link::broken(link, why.clone(), "see the resolver's log"),
    };
    let (ours, theirs) = (node.metadata.response_code, message.metadata.response_code);
    if ours == theirs && addresses(node) == addresses(message) {
        return Link::ok(link, if addresses(node).is_empty() { status(message) } else { list(&addresses(message)) });
    }
    let says = |message: &Message| format!("{} {}", status(message), list(&addresses(message))).trim_end().to_owned();
    let seen = format!("{}, the node says {}", says(message), says(node));
    let fix = "an older answer may be in its cache: wait for its time to live, or empty the cache";
    Link::broken(link, seen, fix)
}

/// What programs get that look a name up as they do: `getaddrinfo`.
///
/// - `node`: every address that the node has for the name.
pub(super) fn programs(name: &str, node: &BTreeSet<IpAddr>, got: &Result<BTreeSet<IpAddr>, String>) -> Link {
    let link = format!("programs look up {name}");
    match got {
        _ if node.is_empty() => Link::skipped(link, "the node knows no address for it"),
        Err(why) => Link::broken(
            link,
            why.clone(),
            "if the resolver asks the node, programs do not ask the resolver: look at `hosts:` in /etc/nsswitch.conf",
        ),
        Ok(got) if got.is_subset(node) && !got.is_empty() => Link::ok(link, list(got)),
        Ok(got) => Link::broken(
            link,
            format!("{}, the node says {}", list(got), list(node)),
            "is it in /etc/hosts? Else an older answer may be in a cache",
        ),
    }
}

/// The addresses in an answer.
pub(super) fn addresses(message: &Message) -> BTreeSet<IpAddr> {
    let address = |record: &Record| match &record.data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    };
    message.answers.iter().filter_map(address).collect()
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
}

/// The code, and what the server says beside it.
fn status(message: &Message) -> String {
    let errors = extended_errors(message).into_iter().map(|(code, text)| format!(" (error {code}: {text})"));
    let code = rcode_text(message.metadata.response_code);
    let empty = if code == "NOERROR" && message.answers.is_empty() { " without data" } else { "" };
    [code, empty.to_owned()].into_iter().chain(errors).collect()
}

#[cfg(test)]
mod tests;
