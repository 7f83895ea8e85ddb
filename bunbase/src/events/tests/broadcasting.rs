use super::*;

async fn broadcasting(database: &TestDatabase) -> (Instance, Broadcast, Listener) {
    let broadcast = Broadcast::of(["task.created".to_owned()]);
    let instance = Instance::with(database, broadcast.clone()).await;
    let listener = Listener::start(instance.events.clone(), None);
    listener.started().await;
    (instance, broadcast, listener)
}

async fn next(subscription: &mut super::super::Subscription) -> Arc<Emitted> {
    tokio::time::timeout(PATIENCE, subscription.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_broadcast_event_reaches_every_instance_that_can_hear_it() {
    for database in each().await {
        let (one, first, listener) = broadcasting(&database).await;
        let (other, second, other_listener) = broadcasting(&database).await;
        let (mut here, mut there) = (first.subscribe(), second.subscribe());
        one.emit(&["1", "2"]).await;
        one.emit_under("key", &["3"]).await;
        let silent = NewEvent { name: "task.deleted".into(), ..event("not told", None) };
        one.events.emit(&[silent]).await.unwrap();
        one.emit(&["4"]).await;
        for payload in ["1", "2", "3", "4"] {
            assert_eq!(next(&mut here).await.payload, payload);
            if database.backend() == DbBackend::Postgres {
                assert_eq!(next(&mut there).await.payload, payload);
            }
        }
        // It is a row all the same, for those who subscribe otherwise.
        assert_eq!(other.rows().await, 5);
        tokio::join!(listener.stop(), listener.stop(), other_listener.stop());
    }
}

#[tokio::test]
async fn what_is_rolled_back_is_not_broadcast() {
    for database in each().await {
        let (instance, broadcast, listener) = broadcasting(&database).await;
        let mut subscription = broadcast.subscribe();
        let tx = instance.db.begin_tx().await.unwrap();
        let emission = instance.events.emit_in(&tx, &[event("undone", None)]).await.unwrap();
        tx.rollback().await.unwrap();
        drop(emission);

        let tx = instance.db.begin_tx().await.unwrap();
        let emission = instance.events.emit_in(&tx, &[event("kept", None)]).await.unwrap();
        tx.commit().await.unwrap();
        emission.committed();
        let heard = next(&mut subscription).await;
        assert_eq!((heard.payload.as_str(), heard.position > 0), ("kept", true));
        listener.stop().await;
    }
}

#[tokio::test]
async fn a_listener_whose_connection_is_lost_comes_back() {
    for database in each().await {
        if database.backend() != DbBackend::Postgres {
            continue;
        }
        let (instance, broadcast, listener) = broadcasting(&database).await;
        let mut subscription = broadcast.subscribe();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%' ORDER BY pid";
        assert!(instance.db.sql(end).scalar::<bool>().await.unwrap());
        // What is broadcast meanwhile is missed, so it is said until it is heard.
        let heard = async {
            loop {
                instance.emit(&["again"]).await;
                if let Ok(heard) = tokio::time::timeout(Duration::from_millis(100), subscription.next()).await {
                    return heard.unwrap();
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, heard).await.unwrap().payload, "again");
        listener.stop().await;
    }
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_heard_is_tested_and_kept() {
    for database in each().await {
        let (instance, broadcast, listener) = broadcasting(&database).await;
        let mut subscription = broadcast.subscribe();
        for n in 0..3 {
            instance.clock.advance(Duration::from_mins(1));
            instance.emit(&[&n.to_string()]).await;
            assert_eq!(next(&mut subscription).await.payload, n.to_string());
        }
        listener.stop().await;
    }
}

#[tokio::test]
async fn a_listener_stops_while_no_server_can_be_reached() {
    for database in each().await {
        let broadcast = Broadcast::of(["task.created".to_owned()]);
        let instance = Instance::with(&database, broadcast).await;
        // A port that nobody listens on.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listener = Listener::start(instance.events.clone(), Some(format!("postgres://root@{free}/postgres")));
        tokio::join!(listener.stop(), listener.stop());
    }
}
