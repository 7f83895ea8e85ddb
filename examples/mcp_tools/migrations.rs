//! The tables of the library, and the books that it begins with.

use bunbase::migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
    schema::{big_integer, date, pk_auto, string},
    sea_query::{Alias, ForeignKey, Query, Table},
};
use bunbase::sea_orm::DbErr;

/// All migrations, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateTables)]
    }
}

/// Titles and authors.
const BOOKS: [(&str, &str); 5] = [
    ("Frankenstein", "Mary Shelley"),
    ("Middlemarch", "George Eliot"),
    ("Persuasion", "Jane Austen"),
    ("Sanditon", "Jane Austen"),
    ("The Time Machine", "H. G. Wells"),
];

struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &'static str {
        "m0001_create_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let name = Alias::new;
        let mut books = Table::create();
        books
            .table(name("books"))
            .col(pk_auto(name("id")).big_integer())
            .col(string(name("title")))
            .col(string(name("author")));
        manager.create_table(books).await?;
        let mut loans = Table::create();
        loans
            .table(name("loans"))
            .col(big_integer(name("book_id")).primary_key())
            .col(string(name("reader")))
            .col(date(name("until")))
            .foreign_key(ForeignKey::create().from(name("loans"), name("book_id")).to(name("books"), name("id")));
        manager.create_table(loans).await?;
        for (title, author) in BOOKS {
            let mut insert = Query::insert();
            insert
                .into_table(name("books"))
                .columns(["title", "author"].map(name))
                .values_panic([title.into(), author.into()]);
            manager.execute(insert).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["loans", "books"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}
