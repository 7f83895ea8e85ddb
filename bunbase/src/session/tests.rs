//! Tokens that are whole and that are not, and sign-outs on every backend, seen by several instances.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::*;
use crate::{
    clock::Clock,
    db::{Db, migrate::Plan, testing::TestDatabase},
    kv::Kv,
};

const OLD: &str = "an old secret of more than thirty-two bytes";
const NEW: &str = "a new secret of more than thirty-two bytes";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Seat {
    desk: u32,
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn grant() -> Grant {
    let grant = Grant::user("ann").organisation("acme").roles(["admin", "editor"]).permission("tasks:*");
    grant.claims(&Seat { desk: 3 }).unwrap()
}

/// One instance over a database, with keys of these secrets.
fn instance(db: &Db, clock: &Clock, secrets: &'static [&'static str], change: impl FnOnce(&mut Settings)) -> Sessions {
    let mut settings = Settings::default();
    change(&mut settings);
    let rows = SignOuts::new(db.clone(), clock.clone());
    Sessions::new(settings, clock.clone(), rows, None, || KeyRing::new(secrets.iter().copied()))
}

/// Returns an empty database of SQLite, or of the one that the environment names.
async fn database() -> (TestDatabase, Db) {
    let database = TestDatabase::create().await.unwrap();
    let db = database.db().await.unwrap();
    Plan::new().up(&db).await.unwrap();
    (database, db)
}

/// Sessions that no database is behind.
async fn alone(secrets: &'static [&'static str]) -> (TestDatabase, Sessions) {
    let (database, db) = database().await;
    (database, instance(&db, &Clock::system(), secrets, |settings| settings.revocation = Revocation::Off))
}

/// RFC 4231 sections 4.2 to 4.8: what tokens are signed with is HMAC-SHA-256 as others know it.
#[test]
fn hmac_is_that_of_rfc_4231() {
    let cases = [
        (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ((1..=25).collect(), vec![0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before \
              being used by the HMAC algorithm."
                .to_vec(),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, data, tag) in cases {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap();
        mac.update(&data);
        assert_eq!(mac.finalize().into_bytes()[..], hex(tag)[..], "{tag}");
    }
}

/// `.ci/check-session-token` makes the same from the documentation alone.
#[tokio::test]
async fn a_token_is_what_the_documentation_says() {
    let keys = KeyRing::new([NEW]).unwrap();
    let claims = Claims {
        session: SessionId(uuid::Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)),
        epoch: 1_700_000_000_000_001,
        signed_in_at: 1_700_000_000_123,
        authenticated_at: 1_700_000_001_000,
        issued_at: 1_700_000_002_000,
        expires_at: 1_700_000_003_000,
        user: "änn".to_owned(),
        organisation: None,
        tenant: None,
        roles: vec!["admin".to_owned(), String::new()],
        permissions: vec!["tasks:*".to_owned()],
        own: grant().claims,
    };
    let token = claims.sign(&keys).unwrap();
    assert_eq!(token, include_str!("token.txt").trim());
    assert_eq!(Claims::verify(&token, &keys).unwrap().sign(&keys).unwrap(), token);
}

#[tokio::test]
async fn a_token_says_what_was_granted() {
    let (_database, sessions) = alone(&[NEW]).await;
    let token = sessions.begin(grant()).await.unwrap().token;
    let claims = sessions.check(&token).await.unwrap().unwrap();
    assert_eq!((claims.user.as_str(), claims.organisation.as_deref()), ("ann", Some("acme")));
    assert_eq!(
        (claims.roles.join(" "), claims.permissions.join(" ")),
        ("admin editor".to_owned(), "tasks:*".to_owned())
    );
    assert_eq!(claims.own::<Seat>().unwrap(), Seat { desk: 3 });
    assert!(claims.own::<Vec<u8>>().is_err());
    let other = sessions.begin(Grant::user(7)).await.unwrap();
    assert!(other.claims.own::<Seat>().is_err());
    assert_ne!(other.claims.session, claims.session);
}

#[tokio::test]
async fn every_change_of_a_token_is_seen() {
    let (_database, sessions) = alone(&[NEW, OLD]).await;
    let token = sessions.begin(grant()).await.unwrap().token;
    let other = sessions.begin(Grant::user("bob").role("admin")).await.unwrap().token;
    let mut wrong = Vec::new();
    for at in 0..token.len() {
        let flipped = |by: u8| {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= by;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        wrong.extend([
            flipped(1),
            flipped(2),
            flipped(0x20),
            flipped(0x80),
            token[..at].to_owned(),
            token[at..].to_owned(),
        ]);
    }
    let bytes = URL_SAFE_NO_PAD.decode(&token[5..]).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            wrong.push(format!("bbs1.{}", URL_SAFE_NO_PAD.encode(bytes)));
        }
    }
    wrong.extend(["=", "==", "A", ".", " ", "\0", "A".repeat(5000).as_str()].map(|more| format!("{token}{more}")));
    // The head of one with the tail of another.
    let (length, at) = (token.len().min(other.len()), 60);
    wrong.extend([
        format!("{}{}", &token[..at], &other[at..]),
        format!("{}{}", &other[..length - 43], &token[token.len() - 43..]),
    ]);
    wrong.extend(["", "bbs1.", "bbs2.", "null"].map(str::to_owned));
    for text in wrong.into_iter().filter(|text| *text != token) {
        assert_eq!(sessions.check(&text).await.unwrap().unwrap_err(), Refused::Invalid, "{text}");
    }
    assert!(sessions.check(&token).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_key_signs_until_it_is_replaced_and_checks_until_it_is_retired() {
    let (_database, db) = database().await;
    let of = |secrets| instance(&db, &Clock::system(), secrets, |_| {});
    let (before, during, after) = (of(&[OLD]), of(&[NEW, OLD]), of(&[NEW]));
    let old = before.begin(grant()).await.unwrap().token;
    let new = during.begin(grant()).await.unwrap().token;
    assert!(during.check(&old).await.unwrap().is_ok() && during.check(&new).await.unwrap().is_ok());
    assert!(after.check(&new).await.unwrap().is_ok());
    assert_eq!(after.check(&old).await.unwrap().unwrap_err(), Refused::Invalid);
    assert_eq!(before.check(&new).await.unwrap().unwrap_err(), Refused::Invalid);
}

#[tokio::test]
async fn a_session_lives_as_long_as_it_is_used_and_no_longer_than_it_may() {
    let (_database, db) = database().await;
    let clock = Clock::system();
    let hours = Duration::from_hours;
    let sessions =
        instance(&db, &clock, &[NEW], |settings| (settings.idle_timeout, settings.lifetime) = (hours(2), hours(5)));
    let mut issued = sessions.begin(grant()).await.unwrap();
    assert!(sessions.renewed(&issued.claims).unwrap().is_none(), "it is new");
    for hour in 1..=4 {
        clock.advance(hours(1));
        let claims = sessions.check(&issued.token).await.unwrap().unwrap();
        match sessions.renewed(&claims).unwrap() {
            Some(renewed) => issued = renewed,
            None => assert_eq!(hour, 4, "it cannot live longer"),
        }
        assert_eq!((issued.claims.session, issued.claims.signed_in_at), (claims.session, claims.signed_in_at));
    }
    clock.advance(hours(1));
    assert_eq!(sessions.check(&issued.token).await.unwrap().unwrap_err(), Refused::Expired);
    let idle = sessions.begin(grant()).await.unwrap().token;
    // The clock goes on by itself, too.
    let minute = Duration::from_mins(1);
    clock.advance(Duration::from_mins(119));
    assert!(sessions.check(&idle).await.unwrap().is_ok());
    clock.advance(minute);
    assert_eq!(sessions.check(&idle).await.unwrap().unwrap_err(), Refused::Expired);
}

#[tokio::test]
async fn what_no_cookie_has_room_for_is_not_issued() {
    let (_database, sessions) = alone(&[NEW]).await;
    for grant in [
        Grant::user("a".repeat(70_000)),
        Grant::user("a").roles((0..70_000).map(|_| "")),
        Grant::user("a").claims(&"c".repeat(3000)).unwrap(),
    ] {
        let error = sessions.begin(grant).await.unwrap_err();
        assert!(format!("{error:?}").contains("too long for a cookie"), "{error:?}");
    }
    let error = sessions.begin(Grant::user("")).await.unwrap_err();
    assert!(format!("{error:?}").contains("empty"), "{error:?}");
    assert!(sessions.begin(Grant::user("a").claims(&"c".repeat(2500)).unwrap()).await.is_ok());
}

/// What two instances share besides the database.
async fn shared() -> Vec<(&'static str, Option<States>)> {
    let mut all = vec![("database", None)];
    #[cfg(feature = "redis")]
    if let Some(redis) = crate::redis::testing::shared().await.unwrap() {
        let settings = crate::kv::Settings { max_value_bytes: 1000 };
        let kv = Kv::new(std::sync::Arc::new(crate::kv::Redis::new(redis)), settings);
        all.push(("redis", Some(States::new(&kv))));
    }
    all
}

#[tokio::test]
async fn a_sign_out_is_seen_by_all_instances() {
    for (name, states) in shared().await {
        for how in [Revocation::Eventual, Revocation::Immediate] {
            for database in TestDatabase::each().await.unwrap() {
                let first = database.db().await.unwrap();
                Plan::new().up(&first).await.unwrap();
                let second = database.db().await.unwrap();
                let (here, there) = (of(&first, how, states.as_ref()), of(&second, how, states.as_ref()));
                let about = format!("{how:?} {name} {:?}", first.backend());
                let ann = here.begin(grant()).await.unwrap();
                let bob = there.begin(Grant::user("bob")).await.unwrap();
                for instance in [&here, &there] {
                    instance.look().await.unwrap();
                    assert!(instance.check(&ann.token).await.unwrap().is_ok(), "{about}");
                }
                here.end(ann.claims.session).await.unwrap();
                assert_eq!(here.check(&ann.token).await.unwrap().unwrap_err(), Refused::Ended, "{about}");
                if how == Revocation::Eventual {
                    // Its service does that every two seconds.
                    there.look().await.unwrap();
                }
                assert_eq!(there.check(&ann.token).await.unwrap().unwrap_err(), Refused::Ended, "{about}");
                assert!(here.check(&bob.token).await.unwrap().is_ok(), "{about}");

                // Everywhere: what began before has ended, what begins after has not.
                there.end_all(None, "bob").await.unwrap();
                here.look().await.unwrap();
                let again = here.begin(Grant::user("bob")).await.unwrap();
                for instance in [&here, &there] {
                    assert_eq!(instance.check(&bob.token).await.unwrap().unwrap_err(), Refused::Ended, "{about}");
                    assert!(instance.check(&again.token).await.unwrap().is_ok(), "{about}");
                }
                // One that starts now knows as much.
                let late = of(&database.db().await.unwrap(), how, states.as_ref());
                assert_eq!(late.check(&ann.token).await.unwrap().unwrap_err(), Refused::Ended, "{about}");
                assert!(late.check(&again.token).await.unwrap().is_ok(), "{about}");
                // Twice in one moment: the epoch still rises.
                here.end_all(None, "bob").await.unwrap();
                here.end_all(None, "bob").await.unwrap();
                assert_eq!(here.check(&again.token).await.unwrap().unwrap_err(), Refused::Ended, "{about}");
                let last = here.begin(Grant::user("bob")).await.unwrap();
                there.look().await.unwrap();
                assert!(there.check(&last.token).await.unwrap().is_ok(), "{about}");
            }
        }
    }
}

fn of(db: &Db, how: Revocation, states: Option<&States>) -> Sessions {
    let settings = Settings { revocation: how, ..Settings::default() };
    let rows = SignOuts::new(db.clone(), Clock::system());
    Sessions::new(settings, Clock::system(), rows, states.cloned(), || KeyRing::new([NEW]))
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn what_redis_loses_is_known_all_the_same() {
    let Some(server) = crate::redis::testing::RedisServer::start().await.unwrap() else { return };
    let settings = crate::kv::Settings { max_value_bytes: 1000 };
    let kv = Kv::new(std::sync::Arc::new(crate::kv::Redis::new(server.redis().unwrap())), settings);
    let states = States::new(&kv);
    let (_database, db) = database().await;
    let (here, there) = (of(&db, Revocation::Immediate, Some(&states)), of(&db, Revocation::Immediate, Some(&states)));
    let ann = here.begin(grant()).await.unwrap();
    here.end(ann.claims.session).await.unwrap();
    server.flush().await.unwrap();
    assert_eq!(there.check(&ann.token).await.unwrap().unwrap_err(), Refused::Ended);
    let bob = here.begin(Grant::user("bob")).await.unwrap();
    assert!(there.check(&bob.token).await.unwrap().is_ok());
    // Redis now says that nothing has ended, and is told better.
    here.end_all(None, "bob").await.unwrap();
    assert_eq!(there.check(&bob.token).await.unwrap().unwrap_err(), Refused::Ended);
    server.flush().await.unwrap();
    assert_eq!(there.check(&bob.token).await.unwrap().unwrap_err(), Refused::Ended);
}

#[tokio::test]
async fn a_sign_out_is_remembered_as_long_as_a_token_can_be_good() {
    let (_database, db) = database().await;
    let clock = Clock::system();
    let sessions = instance(&db, &clock, &[NEW], |_| {});
    let count = async || db.sql("SELECT count(*) FROM session_revocations").scalar::<i64>().await.unwrap();
    let issued = sessions.begin(grant()).await.unwrap();
    sessions.end(issued.claims.session).await.unwrap();
    sessions.end_all(None, "bob").await.unwrap();
    clock.advance(Duration::from_mins(7 * 24 * 60 - 1));
    sessions.sweep().await.unwrap();
    assert_eq!(count().await, 2);
    clock.advance(Duration::from_mins(2));
    sessions.sweep().await.unwrap();
    assert_eq!(count().await, 0);
    assert_eq!(sessions.check(&issued.token).await.unwrap().unwrap_err(), Refused::Expired);
}

#[tokio::test]
async fn an_instance_that_hears_nothing_for_five_seconds_trusts_no_token() {
    let (_database, db) = database().await;
    let clock = Clock::system();
    let sessions = instance(&db, &clock, &[NEW], |_| {});
    sessions.look().await.unwrap();
    let token = sessions.begin(grant()).await.unwrap().token;
    db.close().await;
    assert!(sessions.look().await.is_err());
    assert!(sessions.check(&token).await.unwrap().is_ok(), "what it knows is fresh");
    clock.advance(Duration::from_secs(6));
    assert_eq!(sessions.check(&token).await.unwrap_err().status(), 503);
}

#[tokio::test]
async fn users_of_two_tenants_are_two_users() {
    let (_database, db) = database().await;
    for how in [Revocation::Eventual, Revocation::Immediate] {
        let (here, there) = (of(&db, how, None), of(&db, how, None));
        let mut tokens = Vec::new();
        for tenant in [None, Some("acme"), Some("globex")] {
            let grant = Grant { tenant: tenant.map(str::to_owned), ..Grant::user(7) };
            tokens.push(here.begin(grant).await.unwrap());
        }
        here.end_all(Some("acme"), "7").await.unwrap();
        there.look().await.unwrap();
        for instance in [&here, &there] {
            let mut good = Vec::new();
            for issued in &tokens {
                good.push(instance.check(&issued.token).await.unwrap().is_ok());
            }
            assert_eq!(good, [true, false, true], "{how:?}");
        }
    }
}

#[tokio::test]
async fn a_sign_in_that_was_under_way_when_all_were_ended_begins_nothing() {
    let (_database, db) = database().await;
    let sessions = of(&db, Revocation::Immediate, None);
    let began = Instant::now();
    let since = async |began, known| sessions.begin_since(grant(), began, known).await.unwrap();
    assert!(since(began, 0).await.is_some(), "nothing was ended yet");
    let before = since(began, 0).await.unwrap();
    let epoch = sessions.end_all(None, "ann").await.unwrap();
    assert!(since(began, 0).await.is_none());
    assert!(since(began, epoch - 1).await.is_none(), "it knows of an earlier one only");
    // Whoever ended them goes on, and whoever begins now.
    assert!(since(began, epoch).await.is_some());
    assert!(since(Instant::now(), 0).await.is_some());
    // One whose token was issued just before is not good, either.
    assert_eq!(sessions.check(&before.token).await.unwrap().unwrap_err(), Refused::Ended);
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_exchanged_for_another() {
    let (_database, db) = database().await;
    let (here, there) = (of(&db, Revocation::Eventual, None), of(&db, Revocation::Eventual, None));
    there.look().await.unwrap();
    let issued = here.begin(grant()).await.unwrap();
    here.end(issued.claims.session).await.unwrap();
    // It has not heard of it.
    assert!(there.check(&issued.token).await.unwrap().is_ok());
    assert!(there.replace(&issued.claims, grant(), true).await.unwrap().is_none());
    let other = there.replace(&issued.claims, Grant::user("bob"), true).await.unwrap_err();
    assert!(format!("{other:?}").contains("another's"), "{other:?}");
}

#[tokio::test]
async fn without_revocation_a_token_is_good_until_it_expires() {
    let (_database, sessions) = alone(&[NEW]).await;
    let issued = sessions.begin(grant()).await.unwrap();
    sessions.end(issued.claims.session).await.unwrap();
    assert!(sessions.check(&issued.token).await.unwrap().is_ok());
    assert!(format!("{:?}", sessions.end_all(None, "ann").await.unwrap_err()).contains("session.revocation"));
}

#[test]
fn a_cookie_is_as_safe_as_its_settings_let_it_be() {
    let of = |secure, same_site, domain| {
        let (cookie, attributes) = Settings::cookie_of("sid", secure, same_site, domain);
        let settings = Settings { cookie, attributes, ..Settings::default() };
        settings.set("TOKEN", Duration::from_mins(1))
    };
    assert_eq!(of(true, SameSite::Lax, ""), "__Host-sid=TOKEN; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax");
    assert_eq!(of(false, SameSite::Strict, ""), "sid=TOKEN; Max-Age=60; Path=/; HttpOnly; SameSite=Strict");
    assert_eq!(
        of(true, SameSite::None, "example.com"),
        "sid=TOKEN; Max-Age=60; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=None"
    );
    assert!(Settings::default().clear().starts_with("__Host-bunbase_session=; Max-Age=0; Expires=Thu, 01 Jan 1970"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text: String, bytes: Vec<u8>) {
        let keys = KeyRing::new([NEW]).unwrap();
        prop_assert!(Claims::verify(&text, &keys).is_none());
        let encoded = format!("bbs1.{}", URL_SAFE_NO_PAD.encode(&bytes));
        prop_assert!(Claims::verify(&encoded, &keys).is_none());
        // Signed, and still no token.
        let mut body = bytes;
        body.splice(0..0, [0; 4]);
        let tag = keys.sign(&mut body).unwrap();
        body.extend(tag);
        let _ = Claims::verify(&format!("bbs1.{}", URL_SAFE_NO_PAD.encode(&body)), &keys);
    }
}
