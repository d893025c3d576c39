//! From the bytes of a query to the bytes of its response (RFC 1035, section 4).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record as Encoded};

use super::answer::ResponseKind;
use super::query::{Query, QueryType, Transport};
use super::record::{key, name};
use super::script::{ResolvedAnswer, Script};

/// The longest response to a client without EDNS (RFC 1035, section 4.2.1).
const DATAGRAM: u16 = 512;
/// The longest datagram that we announce to accept (RFC 9715, section 3).
const PAYLOAD: u16 = 1232;

/// The bytes of a response, and how long after the query to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) bytes: Vec<u8>,
    pub(super) delay: Duration,
}

/// The response to a query from `from`. `None`: the resolver sends none.
pub(super) fn respond(
    script: &mut Script,
    bytes: &[u8],
    from: SocketAddr,
    transport: Transport,
    now: Instant,
) -> Option<Response> {
    let message = match Message::from_vec(bytes) {
        Ok(message) if message.message_type() == MessageType::Response => return None,
        Ok(message) => message,
        // Too short to contain the id that the response must repeat.
        Err(_) if bytes.len() < 12 => return None,
        Err(_) => {
            let id = u16::from_be_bytes([bytes[0], bytes[1]]);
            return at_once(&Message::error_msg(id, OpCode::Query, ResponseCode::FormErr));
        }
    };
    let mut response = response_to(&message);
    let refuse = |mut response: Message, code| {
        response.set_response_code(code);
        at_once(&response)
    };
    if message.op_code() != OpCode::Query {
        return refuse(response, ResponseCode::NotImp);
    }
    let [question] = message.queries() else {
        return refuse(response, ResponseCode::FormErr);
    };
    if question.query_class() != DNSClass::IN {
        return refuse(response, ResponseCode::Refused);
    }
    let kind = QueryType(question.query_type().into());
    let name = key(question.name());
    let answer = script.resolve(&name, kind, now);
    script.record(Query { name, kind, from, transport });
    if !fill(&mut response, &answer, transport) {
        return None;
    }
    let limit = match transport {
        Transport::Udp if message.extensions().is_some() => message.max_payload().max(DATAGRAM),
        Transport::Udp => DATAGRAM,
        Transport::Tcp => u16::MAX,
    };
    let bytes = encode(&response, limit)?;
    Some(Response { bytes, delay: answer.delay })
}

/// A response without records.
fn response_to(message: &Message) -> Message {
    let mut response = Message::new();
    response
        .set_id(message.id())
        .set_message_type(MessageType::Response)
        .set_op_code(message.op_code())
        .set_recursion_desired(message.recursion_desired())
        .set_recursion_available(true)
        .add_queries(message.queries().iter().cloned());
    if message.extensions().is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD);
        response.set_edns(edns);
    }
    response
}

/// Adds the answer to the response. Returns whether to send it.
fn fill(response: &mut Message, answer: &ResolvedAnswer, transport: Transport) -> bool {
    let (code, records) = match answer.reply {
        ResponseKind::Silent => return false,
        ResponseKind::ServFail => (ResponseCode::ServFail, false),
        ResponseKind::Refused => (ResponseCode::Refused, false),
        ResponseKind::NxDomain => (ResponseCode::NXDomain, true),
        ResponseKind::Truncated if transport == Transport::Udp => {
            response.set_truncated(true);
            (ResponseCode::NoError, false)
        }
        ResponseKind::Records | ResponseKind::NoData | ResponseKind::Truncated => {
            (ResponseCode::NoError, true)
        }
        ResponseKind::WrongId => {
            response.set_id(!response.id());
            (ResponseCode::NoError, true)
        }
        ResponseKind::WrongQuestion => {
            for question in response.queries_mut() {
                question.set_name(other_than(question.name()));
            }
            (ResponseCode::NoError, true)
        }
    };
    response.set_response_code(code);
    if records {
        response.add_answers(answer.records.iter().filter_map(|(owner, record)| {
            // Both were checked when the test gave the answer.
            let (ttl, data) = record.encode().ok()?;
            Some(Encoded::from_rdata(name(owner).ok()?, ttl, data))
        }));
    }
    true
}

/// A name that differs from the queried one (RFC 2606).
fn other_than(asked: &Name) -> Name {
    let wrong = name("wrong.invalid").unwrap_or_default();
    if *asked == wrong { Name::root() } else { wrong }
}

/// A response that is too long is truncated to the TC bit.
fn encode(response: &Message, limit: u16) -> Option<Vec<u8>> {
    let bytes = response.to_vec().ok()?;
    if bytes.len() <= usize::from(limit) {
        return Some(bytes);
    }
    response.truncate().to_vec().ok()
}

fn at_once(response: &Message) -> Option<Response> {
    Some(Response { bytes: response.to_vec().ok()?, delay: Duration::ZERO })
}
