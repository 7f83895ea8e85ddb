//! What the migration of a shared table needs.

/// Returns the statements that keep the tenants of a shared table apart on Postgres, for a migration: row-level security that binds the
/// table's owner too, a policy that shows each tenant its own rows and lets it write no others, and the tenant as the default of the
/// column. `table` and `column` are names as SQL has them.
///
/// ```
/// let statements = bunbase::tenant::policies("note", "tenant_id");
/// assert_eq!(statements[0], "ALTER TABLE note ENABLE ROW LEVEL SECURITY");
/// assert!(statements[2].contains("tenant_id = current_setting('app.tenant', TRUE)"));
/// ```
///
/// In a migration in Rust each is run by `manager.get_connection().execute_unprepared(…)`; in a SQL file they are written out behind
/// `-- postgres`.
pub fn policies(table: &str, column: &str) -> [String; 4] {
    let own = format!("{column} = current_setting('app.tenant', TRUE)");
    [
        format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
        // The owner too: an application mostly owns its tables.
        format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"),
        format!("CREATE POLICY {table}_of_tenant ON {table} USING ({own}) WITH CHECK ({own})"),
        format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT current_setting('app.tenant', TRUE)"),
    ]
}
