//! Lists of tasks: filters, order, pages.

use serde_json::Value;

use super::{create, read, start};

/// Returns the titles of a list.
fn titles(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("a list");
    items.iter().filter_map(|task| task["title"].as_str()).collect()
}

#[bunbase::test]
async fn a_list_is_filtered_by_state() {
    let app = start().await;
    for title in ["weed", "mow", "dig"] {
        create(&app, title, &[]).await;
    }
    app.patch("/projects/1/tasks/2").json(&serde_json::json!({ "done": true })).send().await.assert_status(200);
    assert_eq!(titles(&read(&app, "/projects/1/tasks?state=open").await), ["weed", "dig"]);
    assert_eq!(titles(&read(&app, "/projects/1/tasks?state=done").await), ["mow"]);
    assert_eq!(titles(&read(&app, "/projects/1/tasks").await), ["weed", "mow", "dig"]);
    app.get("/projects/1/tasks?state=lost").send().await.assert_status(422);
}

#[bunbase::test]
async fn a_list_holds_the_tasks_with_all_the_labels_asked_for() {
    let app = start().await;
    create(&app, "weed", &["green", "soon"]).await;
    create(&app, "paint", &["green", "greener?"]).await;
    create(&app, "rest", &[]).await;
    for (query, expected) in [
        ("label=green", &["weed", "paint"][..]),
        ("label=green&label=soon", &["weed"]),
        ("label=soon&label=greener%3F", &[]),
        // A label is compared as a whole, and is never a pattern or a piece of SQL.
        ("label=gree", &[]),
        ("label=%25", &[]),
        ("label=greener%3F", &["paint"]),
        ("label=%27%20OR%201%3D1%20--", &[]),
        ("label=green&state=open&sort=title", &["paint", "weed"]),
    ] {
        assert_eq!(titles(&read(&app, &format!("/projects/1/tasks?{query}")).await), expected, "{query}");
    }
}

#[bunbase::test]
async fn a_list_is_sorted_by_title_and_then_by_age() {
    let app = start().await;
    for title in ["weed", "dig", "weed", "mow"] {
        create(&app, title, &[]).await;
    }
    let list = read(&app, "/projects/1/tasks?sort=title").await;
    let ids: Vec<_> = list["items"].as_array().expect("a list").iter().filter_map(|task| task["id"].as_i64()).collect();
    assert_eq!(ids, [2, 4, 1, 3]);
}

#[bunbase::test]
async fn pages_hold_every_task_once_and_in_order_while_others_are_created() {
    let app = start().await;
    for number in 0..7 {
        create(&app, &format!("task {number}"), &[]).await;
    }
    for sort in ["created", "title"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = read(&app, &format!("/projects/1/tasks?sort={sort}&limit=3{cursor}")).await;
            assert!(titles(&page).len() <= 3);
            seen.extend(titles(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            // Before everything that has been seen, by title.
            create(&app, "another", &[]).await;
        }
        let known: Vec<_> = seen.iter().filter(|title| title.starts_with("task")).collect();
        assert_eq!(known, (0..7).map(|number| format!("task {number}")).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    }
}

#[bunbase::test]
async fn a_page_has_between_1_and_100_tasks() {
    let app = start().await;
    create(&app, "weed", &[]).await;
    for limit in ["1", "100"] {
        read(&app, &format!("/projects/1/tasks?limit={limit}")).await;
    }
    for limit in ["0", "101", "-1", "many"] {
        app.get(&format!("/projects/1/tasks?limit={limit}")).send().await.assert_status(422);
    }
}

#[bunbase::test]
async fn a_cursor_belongs_to_the_order_that_it_came_from() {
    let app = start().await;
    for title in ["weed", "mow"] {
        create(&app, title, &[]).await;
    }
    let page = read(&app, "/projects/1/tasks?limit=1").await;
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    for query in [&format!("sort=title&cursor={cursor}"), "cursor=nonsense"] {
        let refused = app.get(&format!("/projects/1/tasks?{query}")).send().await.assert_status(404);
        assert_eq!(refused.code(), "cursor_unknown", "{query}");
    }
}
