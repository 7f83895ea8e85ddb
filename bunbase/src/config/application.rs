//! The free section `application`: settings that belong to the application, read into its own type.

use std::{collections::BTreeMap, fmt};

use serde::de::DeserializeOwned;

use super::{Config, ConfigErrors, Problem, Value, found::APPLICATION, reader::Reader};

/// The values of the section. `Debug` shows their names only.
#[derive(Clone, Default)]
pub(super) struct Application(BTreeMap<String, Value>);

impl Application {
    /// Puts a value under a path, in place of what was there.
    pub(super) fn insert(&mut self, path: &[String], value: Value) {
        insert(&mut self.0, path, value);
    }
}

fn insert(table: &mut BTreeMap<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let inner = table.entry(key.clone()).or_insert_with(|| Value::Table(BTreeMap::new()));
            if !matches!(inner, Value::Table(_)) {
                *inner = Value::Table(BTreeMap::new());
            }
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

impl Config {
    /// Reads the section `application` into a type of one's own.
    ///
    /// Durations read with [`duration`](crate::config::duration) and sizes as [`ByteSize`](crate::config::ByteSize). A
    /// value from a variable (`BUNBASE__APPLICATION__MAIL__FROM` is `application.mail.from`) is converted to what the
    /// type asks for, and split at commas for a list.
    ///
    /// # Errors
    /// When a value is missing or has the wrong type; the problem names the key and where its value came from. Values
    /// themselves are not repeated.
    ///
    /// ```
    /// # use bunbase::config::Loader;
    /// #[derive(serde::Deserialize)]
    /// struct Shop { currency: String }
    ///
    /// let config = Loader::new().set("application.currency", "EUR").load()?;
    /// assert_eq!(config.application::<Shop>()?.currency, "EUR");
    /// # Ok::<(), bunbase::config::ConfigErrors>(())
    /// ```
    pub fn application<T: DeserializeOwned>(&self) -> Result<T, ConfigErrors> {
        let table = Value::Table(self.application.0.clone());
        serde_path_to_error::deserialize(Reader::Value(&table)).map_err(|error| {
            let path = error.path().to_string();
            let key = if path == "." { APPLICATION.to_owned() } else { format!("{APPLICATION}.{path}") };
            let source = self.nearest_source(&key);
            Problem::new(key, source, error.into_inner().to_string()).into()
        })
    }

    /// Where a key or the nearest thing around it came from.
    fn nearest_source(&self, key: &str) -> Option<super::Source> {
        let mut key = key;
        loop {
            if let Some(source) = self.sources.get(key) {
                return Some(source.clone());
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use crate::config::{ByteSize, Loader};

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Live,
        Test { seed: u8 },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Mail {
        from: String,
        retries: u8,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Shop {
        mail: Mail,
        mode: Mode,
        #[serde(default)]
        ratio: Option<f64>,
        #[serde(with = "crate::config::duration")]
        every: Duration,
        limit: ByteSize,
        #[serde(default)]
        ports: Vec<u16>,
    }

    const SHOP: &str = "
        [application]
        mode = { test = { seed = 3 } }
        every = '5m'
        limit = '1KiB'
        [application.mail]
        from = 'a@b.example'
        retries = 2
    ";

    fn shop(loader: Loader) -> Result<Shop, String> {
        loader.load().unwrap().application().map_err(|errors| errors.problems()[0].to_string())
    }

    #[test]
    fn a_type_of_ones_own_is_read() {
        let shop = shop(Loader::new().file(SHOP)).unwrap();
        let mail = Mail { from: "a@b.example".to_owned(), retries: 2 };
        let every = Duration::from_mins(5);
        let expected = Shop {
            mail,
            mode: Mode::Test { seed: 3 },
            ratio: None,
            every,
            limit: ByteSize::from_kib(1),
            ports: vec![],
        };
        assert_eq!(shop, expected);
    }

    #[test]
    fn variables_are_converted_to_what_the_type_asks_for() {
        let loader = Loader::new().file(SHOP).variables([
            ("BUNBASE__APPLICATION__MAIL__RETRIES", "7"),
            ("BUNBASE__APPLICATION__PORTS", "80, 443"),
            ("BUNBASE__APPLICATION__RATIO", "0.5"),
            ("BUNBASE__APPLICATION__MODE", "live"),
        ]);
        let shop = shop(loader).unwrap();
        assert_eq!((shop.mail.retries, shop.ports, shop.ratio, shop.mode), (7, vec![80, 443], Some(0.5), Mode::Live));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_key_and_place_and_not_repeated() {
        let text = SHOP.replace("retries = 2", "retries = 'hunter2'");
        let message = shop(Loader::new().file(text)).unwrap_err();
        assert_eq!(message, "bunbase.toml:8: `application.mail.retries` must be u8, not a string");

        let loader = Loader::new().file(SHOP).variables([("BUNBASE__APPLICATION__PORTS", "80,hunter2")]);
        let message = shop(loader).unwrap_err();
        assert_eq!(message, "BUNBASE__APPLICATION__PORTS: `application.ports[1]` must be u16, not a string");
    }

    #[test]
    fn missing_and_unknown_settings_are_named() {
        let message = shop(Loader::new().file(SHOP.replace("limit = '1KiB'", ""))).unwrap_err();
        assert_eq!(message, "`application` has no `limit`, which is required");
        let message = shop(Loader::new().file(SHOP.replace("retries = 2", "retires = 2"))).unwrap_err();
        assert_eq!(message, "bunbase.toml:8: `application.mail.retires` is not a setting; did you mean `retries`?");
    }

    #[test]
    fn a_duration_in_the_section_is_answered_like_one_of_ours() {
        let message = shop(Loader::new().file(SHOP.replace("'5m'", "'5'"))).unwrap_err();
        assert!(message.starts_with("bunbase.toml:4: `application.every` is not right: needs a unit"), "{message}");
    }

    #[test]
    fn the_values_are_not_in_the_debug_output() {
        let config = Loader::new().set("application.token", "hunter2").load().unwrap();
        let shown = format!("{config:?}");
        assert!(shown.contains("token") && !shown.contains("hunter2"), "{shown}");
    }
}
