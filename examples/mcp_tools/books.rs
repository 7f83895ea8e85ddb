//! Books and who has them: the tools.

use std::time::Duration;

use bunbase::prelude::*;

bunbase::module!(prefix = "/books", description = "Books that can be borrowed.");

/// A book of the library.
#[schema]
pub struct Book {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// Where it is.
    pub state: State,
}

/// Where a book is.
#[schema(tag = "kind", rename_all = "snake_case")]
pub enum State {
    /// On its shelf: it can be borrowed.
    Here,
    /// With a reader.
    Lent {
        /// Who has it.
        reader: String,
        /// The day on which it comes back.
        until: NaiveDate,
    },
}

/// What lending a book answers.
#[schema]
pub struct Lent {
    /// The book, as it is now.
    #[body]
    pub book: Book,
    /// Where the loan is, for callers over HTTP.
    #[header("Location")]
    pub location: String,
}

/// Why a book cannot be shown or lent.
#[derive(ActionError, Debug)]
pub enum BookError {
    /// The library has no book of this number.
    #[error(status = 404, code = "book_missing", "the library has no book {0}")]
    Missing(i64),
    /// Somebody else has it.
    #[error(status = 409, code = "book_lent", retry = never, "{reader} has it until {until}")]
    Lent {
        /// Who has it.
        reader: String,
        /// The day on which it comes back.
        until: NaiveDate,
    },
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

/// A row of the catalogue.
#[derive(FromQueryResult)]
struct Row {
    id: i64,
    title: String,
    author: String,
    reader: Option<String>,
    until: Option<NaiveDate>,
}

impl From<Row> for Book {
    fn from(row: Row) -> Self {
        let state = match (row.reader, row.until) {
            (Some(reader), Some(until)) => State::Lent { reader, until },
            _ => State::Here,
        };
        Self { id: row.id, title: row.title, author: row.author, state }
    }
}

const FIND: &str = "SELECT id, title, author, reader, until FROM books LEFT JOIN loans ON book_id = id
    WHERE lower(title || ' ' || author) LIKE '%' || lower($1) || '%' ORDER BY title, id LIMIT $2";
const SHOW: &str =
    "SELECT id, title, author, reader, until FROM books LEFT JOIN loans ON book_id = id WHERE id = $1 ORDER BY id";
const LEND: &str = "INSERT INTO loans (book_id, reader, until) VALUES ($1, $2, $3) ON CONFLICT (book_id) DO NOTHING";
const TAKE_BACK: &str = "DELETE FROM loans WHERE book_id = $1";

/// Reads a book from the catalogue.
async fn look_up(ctx: &Ctx, id: i64) -> Result<Book, BookError> {
    let row: Option<Row> = ctx.sql(SHOW).bind(id).optional().await?;
    row.map(Book::from).ok_or(BookError::Missing(id))
}

/// Finds books by words of their title or author.
///
/// Without words it lists all, by title.
#[action(get = "/", tool)]
pub async fn find(
    ctx: Ctx,
    /// Part of a title or of an author's name.
    #[default]
    #[validate(length(max = 100))]
    words: String,
    /// How many books at most.
    #[default(20)]
    #[validate(range(min = 1, max = 100))]
    limit: u32,
) -> Result<Vec<Book>> {
    let rows: Vec<Row> = ctx.sql(FIND).bind(words).bind(limit).all().await?;
    Ok(rows.into_iter().map(Book::from).collect())
}

/// Shows a book and who has it.
#[action(get = "/{id}", tool)]
pub async fn show(
    ctx: Ctx,
    /// The book's number.
    id: i64,
) -> Result<Book, BookError> {
    look_up(&ctx, id).await
}

/// Lends a book to a reader.
///
/// A book that somebody has cannot be lent again before it is back.
#[action(post = "/{id}/loan", status = 201, tool, guards = [api_key()])]
pub async fn lend(
    ctx: Ctx,
    /// The book's number.
    id: i64,
    /// The reader's name.
    #[validate(length(min = 1, max = 100))]
    reader: String,
    /// For how many days.
    #[default(14)]
    #[validate(range(min = 1, max = 60))]
    days: u32,
) -> Result<Lent, BookError> {
    let until = (ctx.now() + Duration::from_hours(24 * u64::from(days))).date_naive();
    loop {
        if let State::Lent { reader, until } = look_up(&ctx, id).await?.state {
            return Err(BookError::Lent { reader, until });
        }
        // Of two who ask at once, one writes the row; the other looks again.
        if ctx.sql(LEND).bind(id).bind(reader.clone()).bind(until).execute().await? == 1 {
            return Ok(Lent { book: look_up(&ctx, id).await?, location: format!("/books/{id}/loan") });
        }
    }
}

/// Takes a book back, from whoever has it.
#[action(delete = "/{id}/loan", tool, guards = [api_key()])]
pub async fn take_back(
    ctx: Ctx,
    /// The book's number.
    id: i64,
) -> Result<()> {
    ctx.sql(TAKE_BACK).bind(id).execute().await?;
    Ok(())
}

/// Prints the catalogue as a table, one book a line.
#[action(get = "/catalogue.csv", content_type = "text/csv", tool = "catalogue")]
pub async fn print_catalogue(ctx: Ctx) -> Result<Text> {
    let books = ctx.call(Find::new().limit(100)).await?;
    let line = |book: &Book| format!("{},\"{}\",\"{}\"\n", book.id, book.title, book.author);
    Ok(format!("id,title,author\n{}", books.iter().map(line).collect::<String>()).into())
}
