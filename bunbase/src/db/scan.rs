//! Reading SQL text, as far as the framework needs it: which statements plainly read, and which placeholders are named.

use memchr::{memchr3, memchr3_iter};
use smallvec::SmallVec;

/// A piece of SQL outside strings, quoted names and comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A keyword, a name or a number.
    Word(&'a str),
    /// `$1` is `Placeholder(1)`; a number that does not fit is 0.
    Placeholder(u32),
    Semicolon,
    /// A string, a quoted name or a comment that never ends.
    Unterminated,
    /// `'…'`, `"…"`, a dollar-quoted string and any other sign.
    Other,
}

/// Goes through the tokens of `sql` and never fails: what it does not know is [`Token::Other`].
struct Tokens<'a> {
    sql: &'a str,
    /// Where the last token began.
    start: usize,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn of(sql: &'a str) -> Self {
        Self { sql, start: 0, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.sql[self.at..]
    }

    /// Moves behind the next `end`, and says whether there was one.
    fn skip_past(&mut self, end: &str) -> bool {
        if let Some(found) = self.rest().find(end) {
            self.at += found + end.len();
            true
        } else {
            self.at = self.sql.len();
            false
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        // Most of it is ASCII, where a sign is a byte.
        while let Some(byte) = self.sql.as_bytes().get(self.at) {
            let sign = if byte.is_ascii() { Some(char::from(*byte)) } else { self.rest().chars().next() };
            match sign.filter(|sign| keep(*sign)) {
                Some(sign) => self.at += sign.len_utf8(),
                None => break,
            }
        }
        &self.sql[start..self.at]
    }

    fn closed(ended: bool) -> Token<'a> {
        if ended { Token::Other } else { Token::Unterminated }
    }

    /// `/* … */`; Postgres nests them, SQLite does not. The deeper reading is the longer one: a word that SQLite would
    /// run may be taken for a comment, so a nested opening counts as unterminated.
    fn block_comment(&mut self) -> bool {
        let start = self.at + 2;
        self.at = start;
        if !self.skip_past("*/") {
            return false;
        }
        !self.sql[start..self.at].contains("/*")
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.take_while(|sign| sign.is_whitespace() || sign == '\u{feff}');
            let rest = self.rest();
            self.start = self.at;
            let first = rest.chars().next()?;
            if rest.starts_with("--") {
                self.skip_past("\n");
                continue;
            }
            if rest.starts_with("/*") {
                if self.block_comment() {
                    continue;
                }
                return Some(Token::Unterminated);
            }
            self.at += first.len_utf8();
            return Some(match first {
                ';' => Token::Semicolon,
                // A doubled quote inside ends one string and begins the next, which comes to the same.
                '\'' => Self::closed(self.skip_past("'")),
                '"' => Self::closed(self.skip_past("\"")),
                '`' => Self::closed(self.skip_past("`")),
                '$' => {
                    let name = self.take_while(|sign| sign.is_alphanumeric() || sign == '_');
                    if name.starts_with(|sign: char| sign.is_ascii_digit()) {
                        Token::Placeholder(name.parse().unwrap_or(0))
                    } else if self.rest().starts_with('$') {
                        self.at += 1;
                        let tag = &rest[..name.len() + 2];
                        Self::closed(self.skip_past(tag))
                    } else {
                        Token::Other
                    }
                }
                sign if sign.is_alphanumeric() || sign == '_' => {
                    self.at -= first.len_utf8();
                    Token::Word(self.take_while(|sign| sign.is_alphanumeric() || sign == '_' || sign == '$'))
                }
                _ => Token::Other,
            });
        }
    }
}

/// Words that make a statement write, take locks, or depend on the connection that wrote last.
const NOT_PLAIN: [&str; 10] = [
    "insert",
    "update", // `FOR UPDATE` as well
    "delete",
    "into", // `REPLACE INTO`; the function `replace` is harmless
    "returning",
    "last_insert_rowid",
    "changes",
    "total_changes",
    "load_extension",
    "temp", // temporary tables are the writer's
];

/// Returns whether a statement for SQLite plainly reads: it begins with `SELECT`, `VALUES` or `WITH`, is alone, and names none
/// of [`NOT_PLAIN`] outside strings and quoted names. In doubt it does not.
pub(crate) fn plainly_reads(sql: &str) -> bool {
    let mut tokens = Tokens::of(sql);
    let begins = ["select", "with", "values"];
    match tokens.next() {
        Some(Token::Word(word)) if begins.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) => {}
        _ => return false,
    }
    while let Some(token) = tokens.next() {
        match token {
            Token::Unterminated => return false,
            Token::Semicolon => return tokens.next().is_none(),
            Token::Word(word) if NOT_PLAIN.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) => return false,
            _ => {}
        }
    }
    true
}

/// Words that keep a statement on the primary of Postgres beside those of [`NOT_PLAIN`]: locks, and functions that change something or
/// speak of the session. Functions of the application are [declared](super::Settings::writing_functions).
const NOT_ON_REPLICA: [&str; 12] = [
    "share", // `FOR SHARE`, `FOR KEY SHARE`
    "merge",
    "nextval",
    "setval",
    "currval",
    "lastval",
    "set_config",
    "pg_notify",
    "txid_current",
    "pg_current_xact_id",
    "dblink",
    "dblink_exec",
];

/// Returns whether a statement may be answered by a replica: it plainly reads, takes no lock, and names none of the functions that are
/// declared as writing, whose names are given in lower case. In doubt it may not.
pub(super) fn reads_on_replica(sql: &str, writing_functions: &[String]) -> bool {
    let stays = |word: &str| {
        let word = word.to_lowercase();
        NOT_ON_REPLICA.contains(&word.as_str())
            || word.starts_with("pg_advisory")
            || word.starts_with("pg_try_advisory")
            || writing_functions.contains(&word)
    };
    plainly_reads(sql) && !Tokens::of(sql).any(|token| matches!(token, Token::Word(word) if stays(word)))
}

/// What a statement does, by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Select,
    Insert,
    Update,
    Delete,
    Other,
}

/// Returns what a statement does. One that begins with `WITH` selects when it plainly reads.
pub(super) fn operation(sql: &str) -> Operation {
    let Some(Token::Word(word)) = Tokens::of(sql).next() else { return Operation::Other };
    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
    if is("select") || (is("with") && plainly_reads(sql)) {
        Operation::Select
    } else if is("insert") {
        Operation::Insert
    } else if is("update") {
        Operation::Update
    } else if is("delete") {
        Operation::Delete
    } else {
        Operation::Other
    }
}

/// Returns the word that a statement begins with: its keyword.
pub(super) fn first_word(sql: &str) -> &str {
    match Tokens::of(sql).next() {
        Some(Token::Word(word)) => &word[..word.floor_char_boundary(20)],
        _ => "OTHER",
    }
}

/// The longest text of a statement that a log shows, in bytes.
const LONGEST_SHOWN: usize = 2048;

/// Returns a statement without the values in it and without comments: a string or number is `?`, a run of spaces one. What cannot be told
/// apart with certainty is cut off: a string that does not end or that has a backslash, and all that follows it.
pub(super) fn masked(sql: &str) -> String {
    let mut shown = String::with_capacity(sql.len().min(LONGEST_SHOWN));
    let mut tokens = Tokens::of(sql);
    let mut end = 0;
    while let Some(token) = tokens.next() {
        let text = &sql[tokens.start..tokens.at];
        let is_string = text.starts_with('\'') || (text.len() > 1 && text.starts_with('$') && token == Token::Other);
        if token == Token::Unterminated || (is_string && text.contains('\\')) || shown.len() > LONGEST_SHOWN {
            shown.push_str(" …");
            break;
        }
        if tokens.start > end && !shown.is_empty() {
            shown.push(' ');
        }
        let is_number = matches!(token, Token::Word(word) if word.starts_with(|sign: char| sign.is_ascii_digit()));
        // `'it''s'` is two strings to the tokens.
        let goes_on = is_string && tokens.start == end && shown.ends_with('?');
        match is_string || is_number {
            true if goes_on => {}
            true => shown.push('?'),
            false => shown.push_str(text),
        }
        end = tokens.at;
    }
    shown
}

/// Returns a text with `?` in the place of what is between single quotes.
pub(super) fn without_strings(text: &str) -> String {
    let mut parts = text.split('\'');
    let mut shown = parts.next().unwrap_or_default().to_owned();
    while parts.next().is_some() {
        shown.push('?');
        shown.push_str(parts.next().unwrap_or_default());
    }
    shown
}

/// The numbers of placeholders: most statements have a few.
pub(super) type Numbers = SmallVec<[u32; 8]>;

/// Returns the numbers of the placeholders `$1`, `$2`, … in `sql`, sorted, each once. 0 stands for one that no
/// database takes (`$0`, `$1a`).
pub(super) fn placeholders(sql: &str) -> Numbers {
    let mut numbers = plain_placeholders(sql).unwrap_or_else(|| all_placeholders(sql));
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn all_placeholders(sql: &str) -> Numbers {
    let number = |token| if let Token::Placeholder(number) = token { Some(number) } else { None };
    Tokens::of(sql).filter_map(number).collect()
}

/// As [`all_placeholders`] in a small part of the time, for what a statement mostly is: ASCII without quotes and comments. `None` for all others, and where
/// a `$` is not plainly the beginning of a placeholder.
fn plain_placeholders(sql: &str) -> Option<Numbers> {
    let bytes = sql.as_bytes();
    if !sql.is_ascii() || memchr3(b'\'', b'"', b'`', bytes).is_some() {
        return None;
    }
    let mut numbers = Numbers::new();
    for at in memchr3_iter(b'$', b'-', b'/', bytes) {
        let next = bytes.get(at + 1);
        match bytes[at] {
            b'-' if next != Some(&b'-') => {}
            b'/' if next != Some(&b'*') => {}
            b'$' if at == 0 || !is_of_word(bytes[at - 1]) => {
                let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let end = at + 1 + digits;
                if bytes.get(end).is_some_and(|byte| is_of_word(*byte)) {
                    return None;
                }
                numbers.push(sql[at + 1..end].parse().ok()?);
            }
            _ => return None,
        }
    }
    Some(numbers)
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

/// Returns `sql` with `?` in the place of each placeholder, and the numbers that stood there, in order.
pub(super) fn positional(sql: &str) -> (String, Vec<u32>) {
    let (mut text, mut numbers, mut done) = (String::with_capacity(sql.len()), Vec::new(), 0);
    let mut tokens = Tokens::of(sql);
    while let Some(token) = tokens.next() {
        if let Token::Placeholder(number) = token {
            // A placeholder ends where its name does, and begins at its only `$`.
            let begins = sql[..tokens.at].rfind('$').unwrap_or(done);
            text.push_str(&sql[done..begins]);
            text.push('?');
            numbers.push(number);
            done = tokens.at;
        }
    }
    text.push_str(&sql[done..]);
    (text, numbers)
}

/// Returns whether there is no statement in `sql`: nothing but blanks, comments and semicolons.
pub(super) fn is_empty(sql: &str) -> bool {
    Tokens::of(sql).all(|token| token == Token::Semicolon)
}

/// Returns whether `sql` is one statement, with or without a semicolon at its end. In doubt it is not.
pub(super) fn is_one_statement(sql: &str) -> bool {
    let mut tokens = Tokens::of(sql).peekable();
    let mut any = false;
    while let Some(token) = tokens.next() {
        match token {
            Token::Unterminated => return false,
            Token::Semicolon => return any && tokens.peek().is_none(),
            _ => any = true,
        }
    }
    any
}

/// Returns whether a statement in `sql` begins or ends a transaction.
pub(super) fn controls_transactions(sql: &str) -> bool {
    let mut begins = true;
    // `END` is left out: it closes the body of a trigger.
    let words = ["begin", "commit", "rollback", "start"];
    Tokens::of(sql).any(|token| match token {
        Token::Word(word) if begins => {
            begins = false;
            words.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
        }
        token => {
            begins = token == Token::Semicolon;
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_masked_statement_has_no_values() {
        for (sql, shown) in [
            ("SELECT  id FROM task\n WHERE id = $1", "SELECT id FROM task WHERE id = $1"),
            ("SELECT 'it''s me', 42, 1.5 -- ann@example.com\nFROM t1", "SELECT ?, ?, ?.? FROM t1"),
            ("SELECT $$secret$$, $tag$other$tag$, \"name\" /* secret */ FROM t", "SELECT ?, ?, \"name\" FROM t"),
            ("INSERT INTO t VALUES ('a', 'b')", "INSERT INTO t VALUES (?, ?)"),
            ("SELECT E'it\\'s secret' FROM t", "SELECT E …"),
            ("SELECT 'secret", "SELECT …"),
        ] {
            assert_eq!(masked(sql), shown);
        }
        assert!(masked(&"SELECT 1, ".repeat(10_000)).len() < LONGEST_SHOWN + 100);
        assert_eq!(without_strings("Filter: (name = 'ann'::text AND n > 3)"), "Filter: (name = ?::text AND n > 3)");
    }

    #[test]
    fn a_statement_is_what_its_first_word_says() {
        for (sql, expected) in [
            ("select 1", Operation::Select),
            ("/* why */ SELECT 1", Operation::Select),
            ("WITH a AS (SELECT 1) SELECT * FROM a", Operation::Select),
            ("WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a", Operation::Other),
            ("INSERT INTO t VALUES (1)", Operation::Insert),
            ("update t set n = 1", Operation::Update),
            ("DELETE FROM t", Operation::Delete),
            ("VACUUM", Operation::Other),
            ("", Operation::Other),
        ] {
            assert_eq!(operation(sql), expected, "{sql}");
        }
    }

    #[test]
    fn plain_reads_go_to_a_reader() {
        for sql in [
            "SELECT 1",
            "  select * from task where title = 'delete; insert into'",
            "-- the newest\nSELECT * FROM task",
            "/* the newest */ SELECT \"update\" FROM `delete` WHERE [x] = 1;",
            "WITH recent AS (SELECT * FROM task) SELECT * FROM recent ;  -- done",
            "SELECT replace(title, 'a', 'b'), updated_at FROM task",
            "SELECT 'it''s fine' FROM task",
            "VALUES (1), (2)",
        ] {
            assert!(plainly_reads(sql), "{sql}");
        }
    }

    #[test]
    fn only_what_changes_nothing_goes_to_a_replica() {
        let declared = ["take_number".to_owned()];
        for sql in
            ["SELECT * FROM task WHERE title = $1", "WITH a AS (SELECT 1) SELECT * FROM a", "SELECT taken FROM task"]
        {
            assert!(reads_on_replica(sql, &declared), "{sql}");
        }
        for sql in [
            "SELECT * FROM task FOR UPDATE SKIP LOCKED",
            "SELECT * FROM task FOR SHARE",
            "SELECT * FROM task FOR KEY SHARE",
            "INSERT INTO task (title) VALUES ($1) RETURNING id",
            "WITH gone AS (DELETE FROM task RETURNING id) SELECT count(*) FROM gone",
            "WITH m AS (MERGE INTO task USING x ON true WHEN MATCHED THEN DO NOTHING) SELECT 1",
            "SELECT * INTO copy FROM task",
            "SELECT nextval('task_id_seq')",
            "SELECT pg_try_advisory_xact_lock(1)",
            "SELECT Take_Number('invoice')",
            "SELECT 1; SELECT 2",
        ] {
            assert!(!reads_on_replica(sql, &declared), "{sql}");
        }
        assert!(
            reads_on_replica("SELECT take_number('invoice')", &[]),
            "not declared; the replica's session refuses it"
        );
    }

    #[test]
    fn everything_else_goes_to_the_writer() {
        for sql in [
            "",
            "-- SELECT 1",
            "INSERT INTO task DEFAULT VALUES RETURNING id",
            "WITH gone AS (SELECT id FROM task) DELETE FROM task WHERE id IN (SELECT id FROM gone)",
            "with x as (select 1) insert into task select * from x",
            "WITH x AS (SELECT 1) REPLACE INTO task SELECT * FROM x",
            "SELECT * FROM task FOR UPDATE",
            "SELECT 1; DELETE FROM task",
            "SELECT 1;;",
            "SELECT 1 /* ; */ ; /* x */ DROP TABLE task",
            "SELECT last_insert_rowid()",
            "SELECT changes()",
            "SELECT * FROM temp.draft",
            "PRAGMA foreign_keys",
            "EXPLAIN DELETE FROM task",
            "BEGIN IMMEDIATE",
            "(SELECT 1)",
            "SELECT 'open",
            "SELECT 1 /* open",
            "SELECT 1 /* a /* b */ ; DELETE FROM task --*/",
            "selected",
        ] {
            assert!(!plainly_reads(sql), "{sql}");
        }
    }

    #[test]
    fn placeholders_are_found_outside_strings_only() {
        assert_eq!(placeholders("SELECT $2, $1, $1 -- $9\n, '$7', \"$8\", $tag$ $6 $tag$, a$5").as_slice(), [1, 2]);
        assert_eq!(placeholders("SELECT $0").as_slice(), [0]);
        assert_eq!(placeholders("SELECT $99999999999").as_slice(), [0]);
        assert_eq!(placeholders("SELECT $1::text").as_slice(), [1]);
        assert_eq!(placeholders("SELECT 1").as_slice(), [0u32; 0]);
    }

    #[test]
    fn a_statement_without_quotes_and_comments_is_read_quickly() {
        let plain = |sql| plain_placeholders(sql).map(|numbers| numbers.to_vec());
        assert_eq!(plain("SELECT a FROM t WHERE b = $2 AND c > $1-$10 / 2"), Some(vec![2, 1, 10]));
        for hidden in ["$1 -- $2", "/* $1 */", "'$1'", "a$1", "$1a", "$$ $1 $$", "$t$ $1 $t$", "$", "ü = $1", "$1$2"] {
            assert_eq!(plain(hidden), None, "{hidden}");
        }
    }

    #[test]
    fn placeholders_become_positional() {
        let (text, numbers) = positional("INSERT INTO a VALUES ($2, '$1', $1, $2) -- $3");
        assert_eq!(text, "INSERT INTO a VALUES (?, '$1', ?, ?) -- $3");
        assert_eq!(numbers, [2, 1, 2]);
    }

    #[test]
    fn transaction_control_is_found_where_a_statement_begins() {
        for sql in ["BEGIN; SELECT 1", "SELECT 1; -- x\nCommit;", "START TRANSACTION", "SELECT 1;rollback"] {
            assert!(controls_transactions(sql), "{sql}");
        }
        for sql in [
            "CREATE TRIGGER t AFTER INSERT ON task BEGIN UPDATE task SET n = 1; END;",
            "CREATE TABLE commit_log (begin TEXT)",
            "SELECT 'a; commit'",
            "-- begin\nSELECT 1",
        ] {
            assert!(!controls_transactions(sql), "{sql}");
        }
    }

    #[test]
    fn a_text_without_a_statement_and_one_with_two_are_told_from_one_with_one() {
        for sql in ["", " \n", "-- later", "/* later */ ;", ";;"] {
            assert!(is_empty(sql) && !is_one_statement(sql), "{sql}");
        }
        for sql in ["SELECT 1", "SELECT ';';", "-- a; b\nSELECT 1 ; -- done"] {
            assert!(!is_empty(sql) && is_one_statement(sql), "{sql}");
        }
        for sql in ["SELECT 1; SELECT 2", "SELECT 1;;", "SELECT 'open", "; SELECT 1"] {
            assert!(!is_one_statement(sql), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_scanner_panic(sql in ".{0,200}") {
            plainly_reads(&sql);
            placeholders(&sql);
            controls_transactions(&sql);
            is_one_statement(&sql);
        }

        #[test]
        fn the_quick_look_at_placeholders_sees_what_the_long_one_does(sql in "[$\\-/a-c0-9 _=,]{0,40}") {
            if let Some(numbers) = plain_placeholders(&sql) {
                prop_assert_eq!(numbers, all_placeholders(&sql));
            }
        }

        #[test]
        fn no_sql_like_text_makes_the_scanner_panic(sql in "[$'\"`;/*\\-a-z0-9_ \n]{0,80}") {
            plainly_reads(&sql);
            placeholders(&sql);
            controls_transactions(&sql);
            if let Some(numbers) = plain_placeholders(&sql) {
                prop_assert_eq!(numbers, all_placeholders(&sql));
            }
        }
    }
}
