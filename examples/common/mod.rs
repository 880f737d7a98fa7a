//! A DNS question, as the examples ask it.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name as DnsName, RecordType};
use tokio::net::UdpSocket;

/// Asks over UDP; the data of the answer's records.
pub async fn resolve(server: SocketAddr, name: &str, rtype: RecordType) -> Result<Vec<String>, Box<dyn Error>> {
    let mut question = Message::new(1, MessageType::Query, OpCode::Query);
    question.add_query(Query::query(DnsName::from_ascii(name)?, rtype));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.send_to(&question.to_vec()?, server).await?;
    let mut buffer = [0; 1_232];
    let len = socket.recv(&mut buffer).await?;
    let answer = Message::from_vec(buffer.get(..len).ok_or("a datagram fits its buffer")?)?;
    Ok(answer.answers.iter().map(|record| record.data.to_string()).collect())
}
