//! Which answer a query gets, and its encoding.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};

use super::answer::ResponseKind;
use super::message::respond;
use super::script::ResolvedAnswer;
use super::{Answer, QueryType, Record, Script, Transport};

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const ASKER: ([u8; 4], u16) = ([192, 0, 2, 9], 5353);

fn script_of(answers: &[(&str, Answer)], now: Instant) -> Script {
    let mut script = Script::default();
    for (name, answer) in answers {
        script.answer(name, answer.clone(), now).unwrap();
    }
    script
}

fn text(answer: &ResolvedAnswer) -> String {
    let records: Vec<String> = answer
        .records
        .iter()
        .map(|(owner, record)| {
            let (ttl, data) = record.encode().unwrap();
            format!("{owner} {ttl} {} {data}", record.kind())
        })
        .collect();
    format!("{:?} [{}] after {:?}", answer.reply, records.join(", "), answer.delay)
}

#[test]
fn the_last_answer_that_applies_is_used() {
    let now = Instant::now();
    let mut script = script_of(&[("Db.Example", A.into())], now);
    let ask = |script: &Script, name: &str, kind| script.resolve(name, kind, now).reply;
    assert_eq!(ask(&script, "db.example.", QueryType::A), ResponseKind::Records);
    assert_eq!(ask(&script, "db.example.", QueryType::AAAA), ResponseKind::NoData);
    assert_eq!(ask(&script, "other.example.", QueryType::A), ResponseKind::NxDomain);

    // A name with an answer for one type exists for all.
    script.answer("v4.example", Answer::from(A).only(QueryType::A), now).unwrap();
    assert_eq!(ask(&script, "v4.example.", QueryType::AAAA), ResponseKind::NoData);
    assert_eq!(ask(&script, "v4.example.", QueryType::A), ResponseKind::Records);
    script.answer("no4.example", Answer::NXDOMAIN.only(QueryType::A), now).unwrap();
    assert_eq!(ask(&script, "no4.example.", QueryType::AAAA), ResponseKind::NxDomain);
    let once = Answer::from(A).only(QueryType::A).times(1);
    script.answer("once.example", once, now).unwrap();
    assert_eq!(ask(&script, "once.example.", QueryType::AAAA), ResponseKind::NoData);
    assert_eq!(ask(&script, "once.example.", QueryType::A), ResponseKind::Records);
    assert_eq!(ask(&script, "once.example.", QueryType::AAAA), ResponseKind::NxDomain);

    script.answer("db.example.", Answer::SILENT.only(QueryType::AAAA), now).unwrap();
    script.answer("db.example", Answer::SERVFAIL.times(2), now).unwrap();
    let answer: Vec<ResponseKind> = (0..4)
        .map(|nth| [QueryType::A, QueryType::AAAA][nth % 2])
        .map(|kind| ask(&script, "db.example.", kind))
        .collect();
    assert_eq!(
        answer,
        [
            ResponseKind::ServFail,
            ResponseKind::ServFail,
            ResponseKind::Records,
            ResponseKind::Silent
        ]
    );

    script.answer("DB.example", Answer::REFUSED, now).unwrap();
    assert_eq!(ask(&script, "db.example.", QueryType::AAAA), ResponseKind::Refused);
}

#[test]
fn a_wildcard_answers_for_names_below_it_without_an_answer() {
    let now = Instant::now();
    let script = script_of(
        &[("*", Answer::REFUSED), ("*.example", A.into()), ("db.example", Answer::SERVFAIL)],
        now,
    );
    for (name, reply) in [
        ("db.example.", ResponseKind::ServFail),
        ("a.example.", ResponseKind::Records),
        ("a.b.example.", ResponseKind::Records),
        ("example.", ResponseKind::Refused),
        ("a.test.", ResponseKind::Refused),
    ] {
        assert_eq!(script.resolve(name, QueryType::A, now).reply, reply, "{name}");
    }
}

#[test]
fn cnames_are_followed() {
    let now = Instant::now();
    let late = Duration::from_millis(7);
    let script = script_of(
        &[
            ("www.example", Answer::from(Record::cname("db.example")).after(late)),
            ("db.example", Answer::records([A, B]).after(late)),
            ("gone.example", Record::cname("nowhere.example").into()),
            ("mail.example", Record::cname("broken.example").into()),
            ("broken.example", Answer::SERVFAIL),
            ("circle.example", Record::cname("circle.example").into()),
        ],
        now,
    );
    let ask = |name, kind| text(&script.resolve(name, kind, now));
    assert_eq!(
        ask("www.example.", QueryType::A),
        "Records [www.example. 0 CNAME db.example., db.example. 0 A 192.0.2.1, db.example. 0 A 192.0.2.2] after 14ms"
    );
    assert_eq!(
        ask("www.example.", QueryType::CNAME),
        "Records [www.example. 0 CNAME db.example.] after 7ms"
    );
    assert_eq!(
        ask("gone.example.", QueryType::A),
        "NxDomain [gone.example. 0 CNAME nowhere.example.] after 0ns"
    );
    assert_eq!(script.resolve("mail.example.", QueryType::A, now).reply, ResponseKind::ServFail);
    assert_eq!(script.resolve("circle.example.", QueryType::A, now).reply, ResponseKind::ServFail);
}

#[test]
fn a_stale_answer_applies_after_its_time() {
    let now = Instant::now();
    let hour = Duration::from_secs(3600);
    let mut script = script_of(&[("db.example", Record::from(A).ttl(hour).into())], now);
    let new = Answer::from(B).stale(Duration::from_secs(30));
    let scripted = script.answer("db.example", new, now).unwrap();
    let ask = |seconds| {
        text(&script.resolve("db.example.", QueryType::A, now + Duration::from_secs_f64(seconds)))
    };
    assert_eq!(ask(0.0), "Records [db.example. 30 A 192.0.2.1] after 0ns");
    assert_eq!(ask(29.5), "Records [db.example. 1 A 192.0.2.1] after 0ns");
    assert_eq!(ask(30.0), "Records [db.example. 0 A 192.0.2.2] after 0ns");
    assert_eq!(scripted.count(), 2);
}

#[test]
fn failures_that_no_query_got_are_reported() {
    let now = Instant::now();
    let mut script = script_of(
        &[
            ("plain.example", A.into()),
            ("optional.example", Answer::SERVFAIL.optional()),
            ("met.example", Answer::NXDOMAIN),
            ("replaced.example", Answer::SILENT.only(QueryType::A).times(2)),
            ("replaced.example", A.into()),
        ],
        now,
    );
    assert!(
        script.unused_failures()[0]
            .contains("the answer `NXDOMAIN` for met.example.; it received no query")
    );
    ask(&mut script, "Met.Example", RecordType::A, Transport::Udp, |_| ());
    let unused = script.unused_failures();
    let [one] = unused.as_slice() else { panic!("{unused:?}") };
    assert!(
        one.starts_with(
            "no query got the answer `SILENT, only for A, 2 times` for replaced.example.; its queries were for met.example."
        ),
        "{one}"
    );
}

/// Sends a query and reads the response.
fn ask(
    script: &mut Script,
    text: &str,
    kind: RecordType,
    transport: Transport,
    change: impl FnOnce(&mut Message),
) -> Option<Message> {
    let mut question = Message::new();
    question
        .set_id(0x1234)
        .set_recursion_desired(true)
        .add_query(Query::query(Name::from_ascii(format!("{text}.")).unwrap(), kind));
    change(&mut question);
    let bytes = question.to_vec().unwrap();
    let response = respond(script, &bytes, SocketAddr::from(ASKER), transport, Instant::now())?;
    Some(Message::from_vec(&response.bytes).unwrap())
}

#[test]
fn responses_repeat_id_and_question() {
    let now = Instant::now();
    let mut script = script_of(
        &[
            ("db.example", Answer::from([Record::from(A), Ipv6Addr::LOCALHOST.into()])),
            ("id.example", Answer::wrong_id([A])),
            ("question.example", Answer::wrong_question([A])),
            ("silent.example", Answer::SILENT),
            ("cut.example", Answer::truncated([A])),
        ],
        now,
    );
    let mut ask = |name, transport| ask(&mut script, name, RecordType::A, transport, |_| ());
    let good = ask("dB.eXample", Transport::Udp).unwrap();
    assert_eq!((good.id(), good.message_type()), (0x1234, MessageType::Response));
    assert!(good.recursion_desired() && good.recursion_available() && !good.truncated());
    // The letters are those of the query: some clients check that.
    assert_eq!(good.query().unwrap().name().to_ascii(), "dB.eXample.");
    assert_eq!(good.answers().len(), 1);
    assert_eq!(good.extensions(), &None);
    assert_ne!(ask("id.example", Transport::Udp).unwrap().id(), 0x1234);
    let wrong = ask("question.example", Transport::Udp).unwrap();
    assert_eq!(wrong.query().unwrap().name().to_ascii(), "wrong.invalid.");
    assert_eq!(ask("silent.example", Transport::Udp), None);
    let cut = ask("cut.example", Transport::Udp).unwrap();
    assert!(cut.truncated() && cut.answers().is_empty());
    let whole = ask("cut.example", Transport::Tcp).unwrap();
    assert!(!whole.truncated() && whole.answers().len() == 1);
}

/// 40 records of 16 bytes each.
#[test]
fn a_response_that_does_not_fit_into_a_datagram_is_truncated() {
    let many: Vec<Ipv4Addr> = (1..=40).map(|last| Ipv4Addr::new(192, 0, 2, last)).collect();
    let mut script = script_of(&[("db.example", many.into())], Instant::now());
    let mut ask = |transport, payload: Option<u16>| {
        let message = ask(&mut script, "db.example", RecordType::A, transport, |question| {
            if let Some(payload) = payload {
                let mut edns = Edns::new();
                edns.set_max_payload(payload);
                question.set_edns(edns);
            }
        });
        let message = message.unwrap();
        (message.truncated(), message.answers().len(), message.extensions().is_some())
    };
    assert_eq!(ask(Transport::Udp, None), (true, 0, false));
    assert_eq!(ask(Transport::Udp, Some(600)), (true, 0, true));
    assert_eq!(ask(Transport::Udp, Some(1232)), (false, 40, true));
    assert_eq!(ask(Transport::Tcp, None), (false, 40, false));
}

#[test]
fn messages_that_are_no_queries_get_an_error_or_no_response() {
    let mut script = Script::default();
    let update = ask(&mut script, "a.example", RecordType::A, Transport::Udp, |question| {
        question.set_op_code(OpCode::Update);
    });
    assert_eq!(update.unwrap().response_code(), ResponseCode::NotImp);
    let none = ask(&mut script, "a.example", RecordType::A, Transport::Udp, |question| {
        question.take_queries();
    });
    assert_eq!(none.unwrap().response_code(), ResponseCode::FormErr);
    let response = ask(&mut script, "a.example", RecordType::A, Transport::Udp, |question| {
        question.set_message_type(MessageType::Response);
    });
    assert_eq!(response, None);
    let broken = [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63];
    let respond = |script: &mut Script, bytes: &[u8]| {
        respond(script, bytes, SocketAddr::from(ASKER), Transport::Udp, Instant::now())
    };
    let answer = Message::from_vec(&respond(&mut script, &broken).unwrap().bytes).unwrap();
    assert_eq!((answer.id(), answer.response_code()), (0xabcd, ResponseCode::FormErr));
    assert_eq!(respond(&mut script, &broken[..11]), None);
    assert!(script.queries().is_empty());
}

#[test]
fn invalid_answers_are_refused() {
    let now = Instant::now();
    let refused = |name: &str, answer: Answer| {
        let error = Script::default().answer(name, answer, now).map(drop).unwrap_err();
        format!("{error:?}")
    };
    let long = "a".repeat(64);
    for name in ["", "a..example", long.as_str()] {
        assert!(refused(name, A.into()).contains("nstest[name]"), "{name}");
    }
    for (answer, why) in [
        (Answer::from(Record::cname("a b..c")), "nstest[name]"),
        (Record::from(A).ttl(Duration::from_millis(1500)).into(), "1.5s"),
        (Record::from(A).ttl(Duration::from_secs(1 << 31)).into(), "2147483647"),
        (Answer::SERVFAIL.times(0), "answers no query"),
        (Answer::SERVFAIL.times(1).stale(Duration::from_secs(1)), "`stale` and `times`"),
        (Answer::records(Vec::<Record>::new()), "Answer::NODATA"),
        (Answer::from([Record::cname("b.example"), A.into()]), "RFC 1034"),
    ] {
        let error = refused("a.example", answer);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn every_kind_of_record_is_encoded() {
    let records = [
        Record::from(A),
        Record::from(Ipv6Addr::LOCALHOST),
        Record::mx(10, "mail.example"),
        Record::ptr("host.example"),
        Record::srv(1, 2, 443, "www.example"),
        Record::txt("v=spf1"),
    ];
    let mut script =
        script_of(&[("all.example", Answer::records(records.clone()))], Instant::now());
    for record in records {
        let kind = RecordType::from(record.kind().0);
        let message = ask(&mut script, "all.example", kind, Transport::Udp, |_| ()).unwrap();
        assert_eq!(message.answers().len(), 1, "{kind}");
        assert_eq!(*message.answers()[0].data(), record.encode().unwrap().1);
        assert_eq!(record.kind().to_string(), kind.to_string());
    }
    let long = Record::txt(&"x".repeat(600)).encode().unwrap().1;
    assert_eq!(
        long.as_txt().unwrap().iter().map(|part| part.len()).collect::<Vec<_>>(),
        [255, 255, 90]
    );
}
