//! Random sequences of what two tenants do: none of them ever sees what is the other's.

use futures_util::join;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use super::{AddNote, Everything, House, Remembered, each};

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Add(usize),
    AddInTurn(usize),
    Fail(usize),
    AddBoth,
    Remember(usize),
    Forget(usize),
    Lock,
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        (0..2_usize).prop_map(Step::Add),
        (0..2_usize).prop_map(Step::AddInTurn),
        (0..2_usize).prop_map(Step::Fail),
        Just(Step::AddBoth),
        (0..2_usize).prop_map(Step::Remember),
        (0..2_usize).prop_map(Step::Forget),
        Just(Step::Lock),
        Just(Step::Drain),
    ];
    prop::collection::vec(one, 5..25)
}

const NAMES: [&str; 2] = ["a", "b"];

/// What must be there.
#[derive(Default)]
struct Expected {
    added: [Vec<String>; 2],
    /// What was drained so far.
    heard: [usize; 2],
    remembered: [Option<Vec<String>>; 2],
    next: u32,
}

impl Expected {
    fn text(&mut self, tenant: usize) -> String {
        self.next += 1;
        format!("{}-{}", NAMES[tenant], self.next)
    }
}

async fn send(house: &House, method: &str, path: &str, tenant: usize, body: Option<Value>, status: u16) -> Value {
    let request = house.app.request(method, &format!("/t/tenants{path}")).header("x-tenant", NAMES[tenant]);
    let request = match &body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await.assert_status(status);
    if answer.bytes().is_empty() { Value::Null } else { answer.json() }
}

async fn take(house: &House, step: Step, expected: &mut Expected) {
    match step {
        Step::Add(tenant) => {
            let text = expected.text(tenant);
            send(house, "POST", "/notes", tenant, Some(json!({ "text": text })), 204).await;
            expected.added[tenant].push(text);
        }
        Step::AddInTurn(tenant) => {
            let text = expected.text(tenant);
            house.app.call(AddNote::new(text.clone())).for_tenant(NAMES[tenant]).await.unwrap();
            expected.added[tenant].push(text);
        }
        Step::Fail(tenant) => {
            let body = json!({ "text": expected.text(tenant), "fails": true });
            send(house, "POST", "/notes", tenant, Some(body), 409).await;
        }
        Step::AddBoth => {
            let (a, b) = (expected.text(0), expected.text(1));
            join!(
                send(house, "POST", "/notes", 0, Some(json!({ "text": a })), 204),
                send(house, "POST", "/notes", 1, Some(json!({ "text": b })), 204),
            );
            expected.added[0].push(a);
            expected.added[1].push(b);
        }
        Step::Remember(tenant) => {
            let shown = send(house, "GET", "/remembered", tenant, None, 200).await;
            let now = expected.added[tenant].clone();
            let known = expected.remembered[tenant].get_or_insert(now);
            assert_eq!(shown, json!(known), "{}: {}", house.name, NAMES[tenant]);
        }
        Step::Forget(tenant) => {
            let shown = send(house, "POST", "/forget", tenant, None, 200).await;
            assert_eq!(shown, json!(expected.added[tenant]), "{}: {}", house.name, NAMES[tenant]);
            expected.remembered[tenant] = None;
        }
        Step::Lock => {
            let held = join!(
                send(house, "POST", "/lock", 0, Some(json!({})), 200),
                send(house, "POST", "/lock", 1, Some(json!({})), 200),
            );
            assert_eq!(held, (json!(true), json!(true)), "{}: each has its own", house.name);
        }
        Step::Drain => {
            house.app.drain().await;
            expected.heard = [0, 1].map(|tenant| expected.added[tenant].len());
        }
    }
}

async fn compare(house: &House, expected: &Expected) {
    for (tenant, name) in NAMES.iter().enumerate() {
        let added = &expected.added[tenant];
        let shown: Everything =
            serde_json::from_value(send(house, "GET", "/everything", tenant, None, 200).await).unwrap();
        assert_eq!(&shown.notes, added, "{}: {name}", house.name);
        assert_eq!(shown.heard, added[..expected.heard[tenant]], "{}: {name}", house.name);
        assert_eq!(usize::try_from(shown.counted).unwrap(), added.len(), "{}: {name}", house.name);
        let is_own = |text: &String| text.starts_with(&format!("{name}-"));
        assert!(shown.worked.iter().all(is_own), "{}: {name}: {:?}", house.name, shown.worked);
        let is_done = expected.heard[tenant] == 0 || !shown.worked.is_empty();
        assert!(is_done, "{}: {name}: a job of one tenant takes no place of the other's", house.name);
    }
}

#[tokio::test]
async fn whatever_two_tenants_do_none_sees_what_is_the_others() {
    for house in each().await {
        let mut runner = TestRunner::deterministic();
        let mut expected = Expected::default();
        for _ in 0..8 {
            let sequence = steps().new_tree(&mut runner).unwrap().current();
            for step in sequence {
                take(&house, step, &mut expected).await;
            }
            compare(&house, &expected).await;
        }
        // What is nobody's is not theirs, and the other way round.
        let kept = house.app.call(Remembered::new()).for_tenant("a").await.unwrap();
        assert_eq!(kept, expected.added[0], "{}", house.name);
    }
}
