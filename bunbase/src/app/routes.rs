//! The table that `routes` prints.

use crate::registry::Registry;

/// One line a route, ordered by path; actions without a route at the end.
pub(super) fn table(registry: &Registry) -> String {
    let mut rows = vec![["METHOD", "PATH", "ACTION", "GUARDS", "SOURCE"].map(str::to_owned)];
    let mut routes = Vec::new();
    for action in registry.actions() {
        let guards: Vec<_> = action.guard_docs().into_iter().map(|guard| guard.name).collect();
        let guards = if guards.is_empty() { "-".to_owned() } else { guards.join(", ") };
        let source = format!("{}:{}", action.entry.meta.file, action.entry.meta.line);
        if action.routes.is_empty() {
            routes.push(["-".to_owned(), "-".to_owned(), action.name.to_owned(), guards.clone(), source.clone()]);
        }
        for route in &action.routes {
            let method = route.method.as_str().to_owned();
            routes.push([method, route.path.clone(), action.name.to_owned(), guards.clone(), source.clone()]);
        }
    }
    routes.sort_by(|a, b| (a[1] == "-", &a[1], &a[0]).cmp(&(b[1] == "-", &b[1], &b[0])));
    rows.extend(routes);
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 5]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
