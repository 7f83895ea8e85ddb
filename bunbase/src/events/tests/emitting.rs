use super::*;

#[tokio::test]
async fn what_a_transaction_emits_is_there_when_it_commits() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        let (kept, undone) = ([event("kept", None), event("too", Some("k"))], [event("undone", Some("k"))]);
        let refused = instance.db.transaction(async |tx: &Tx| {
            let _emission = instance.events.emit_in(tx, &undone).await?;
            Err::<(), _>(Error::conflict("no"))
        });
        assert_eq!(refused.await.unwrap_err().status(), 409);
        assert_eq!(instance.rows().await, 0);

        let tx = instance.db.begin_tx().await.unwrap();
        let emission = instance.events.emit_in(&tx, &kept).await.unwrap();
        if instance.db.backend() == DbBackend::Postgres {
            assert_eq!(instance.step().await, Step::Idle);
        }
        tx.commit().await.unwrap();
        emission.committed();
        assert_eq!(instance.step().await, worked(2, 0));
        assert_eq!(instance.payloads().await, ["kept", "too"]);
        assert_eq!(instance.step().await, Step::Idle);
    }
}

#[tokio::test]
async fn an_event_is_delivered_as_it_was_emitted() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        for key in [None, Some("task 7")] {
            let new = event(r#"{"title":"§ 'quoted' \u0000"}"#, key);
            instance.events.emit(std::slice::from_ref(&new)).await.unwrap();
            let found = instance.events.outbox.by_ids(&[new.id]).await.unwrap().remove(0);
            let now = instance.clock.now();
            assert!((now - found.emitted_at).abs() < chrono::TimeDelta::minutes(1), "{found:?} at {now}");
            let expected = Emitted {
                position: found.position,
                emitted_at: found.emitted_at,
                id: new.id,
                name: new.name,
                payload: new.payload,
                ordering_key: new.ordering_key,
                identity: new.identity,
                traceparent: new.traceparent,
            };
            assert_eq!(found, expected);
        }
    }
}

#[tokio::test]
async fn many_at_once_keep_their_order() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        let numbers: Vec<_> = (0..1200).map(|n| n.to_string()).collect();
        let new = |(n, payload): (usize, &String)| event(payload, ["", "a", "b"].get(n % 4).copied());
        let events: Vec<_> = numbers.iter().enumerate().map(new).collect();
        instance.events.emit(&events).await.unwrap();
        assert_eq!(instance.step().await, worked(500, 0));
        assert_eq!(instance.step().await, worked(500, 0));
        assert_eq!(instance.step().await, worked(200, 0));
        assert_eq!(instance.payloads().await, numbers);
        // An empty key is none.
        assert!(instance.delivered().await.iter().all(|delivered| delivered.ordering_key.as_deref() != Some("")));
    }
}

#[tokio::test]
async fn what_is_no_name_is_refused_and_nothing_is_stored() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        let wrong = NewEvent { name: "Task Created".into(), ..event("x", None) };
        let error = instance.events.emit(&[event("y", None), wrong]).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (500, "event_name"));
        assert_eq!(instance.rows().await, 0);
        instance.events.emit(&[]).await.unwrap();
    }
}

#[tokio::test]
async fn the_outbox_says_how_deep_it_is_and_how_old() {
    for database in each().await {
        let instance = Instance::of(&database).await;
        assert_eq!(instance.events.stats().await.unwrap(), super::super::Stats::default());
        instance.emit(&["1"]).await;
        instance.clock.advance(Duration::from_mins(10));
        instance.emit(&["2", "3"]).await;
        let stats = instance.events.stats().await.unwrap();
        assert_eq!((stats.depth, stats.held, stats.parked), (3, 0, 0));
        assert!(stats.lag >= Duration::from_mins(10) && stats.lag < Duration::from_mins(11), "{stats:?}");
        instance.step().await;
        assert_eq!(instance.events.stats().await.unwrap().depth, 0);
    }
}
