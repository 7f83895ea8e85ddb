//! The page `docs/configuration.md`, made from the table of keys.

use std::fmt::Write as _;

use super::{Config, Environment, Key, table::KEYS};

const BEGINNING: &str = "\
# Configuration

<!-- Made from the table in bunbase/src/config/table.rs; a test compares the two.
     After a change there: BUNBASE_UPDATE_DOCS=1 cargo test -p bunbase configuration_page -->

Nothing has to be configured. What is, comes from these places; each counts more than those before it:

1. the defaults below;
2. `bunbase.toml` in the working directory, or the file that `BUNBASE_CONFIG` names;
3. `.env` in the working directory;
4. the environment: the customary variables of the table, then `BUNBASE__SECTION__KEY`, as in `BUNBASE__HTTP__PORT=8080`;
5. code: `App::config(\"http.port\", 8080)`;
6. flags of the command line, such as `--port`.

```toml
# bunbase.toml
[http]
port = 8080
request_timeout = \"10s\"

[application] # settings of your own
greeting = \"hello\"
```

- **Durations** are a whole number and a unit: `\"200ms\"`, `\"30s\"`, `\"5m\"`, `\"1h\"`, `\"7d\"`.
- **Sizes** likewise: `\"512KB\"`, `\"10MB\"` in powers of 1000, `\"64KiB\"`, `\"1GiB\"` in powers of 1024.
- **Lists** are separated by commas in a variable: `BUNBASE__CORS__ORIGINS=https://a.example,https://b.example`.
- **Mistakes** (unknown keys, wrong values, values that contradict each other) stop the start and are all listed at once,
  with the place and the nearest key. The reference guide's spelling, such as `maxConnections`, is answered with ours.
- **Settings of your own** go into the section `application`: `config.application::<MySettings>()` reads it into any type
  that implements `Deserialize`. `BUNBASE__APPLICATION__MAIL__FROM` is `application.mail.from`.
- **Passwords** in URLs are hidden wherever the configuration is printed.

## Development and production

`BUNBASE_ENV=development` or `BUNBASE_ENV=production` decides. Without it, it is development under the command `dev`, and
in a debug build that listens on loopback only; everything else is production. The banner says which, and why. Where a
default differs, the table has both.

## Keys

In the two columns on the right: the key of the reference guide with its default, where it has one.

| Key | Type | Default | In production | Variable | What it does | In the guide | Its default |
|---|---|---|---|---|---|---|---|
";

/// Writes the page in Markdown: how configuration works, and every key with its defaults.
#[must_use]
pub fn page() -> String {
    let development = Config::defaults(Environment::Development, String::new());
    let production = Config::defaults(Environment::Production, String::new());
    let mut page = BEGINNING.to_owned();
    for key in KEYS {
        row(&mut page, key, &development, &production);
    }
    page
}

fn row(page: &mut String, key: &Key, development: &Config, production: &Config) {
    let default = match (key.says, key.like) {
        (Some(words), _) => words.to_owned(),
        (_, Some(like)) => format!("that of `{like}`"),
        _ => format!("`{}`", (key.show)(development)),
    };
    let in_production = (key.show)(production);
    let in_production = if in_production == (key.show)(development) { "" } else { &format!("`{in_production}`") };
    let code = |text: &str| format!("`{text}`");
    let (guide, guide_default) = key.guide.unzip();
    let cells = [
        code(key.name),
        key.kind.to_owned(),
        default,
        in_production.to_owned(),
        key.variable.map(code).unwrap_or_default(),
        key.doc.trim().to_owned(),
        guide.map(code).unwrap_or_default(),
        guide_default.unwrap_or_default().to_owned(),
    ];
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn configuration_page_is_made_from_the_table() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
        if std::env::var_os("BUNBASE_UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, page()).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            committed == page(),
            "docs/configuration.md is not what the table says; update it with\n\
             BUNBASE_UPDATE_DOCS=1 cargo test -p bunbase configuration_page"
        );
    }

    #[test]
    fn every_key_has_one_sentence_at_least_and_a_row() {
        let page = page();
        for key in KEYS {
            assert!(key.doc.trim().ends_with('.'), "{}", key.name);
            assert_eq!(page.matches(&format!("\n| `{}` |", key.name)).count(), 1, "{}", key.name);
        }
    }
}
