//! The macro behind the table of keys: it makes the typed sections and the list of [`Key`]s out of one declaration.

use super::{Config, Value};

/// One configuration key: what the documentation and the loader know about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Key {
    /// The whole name, `http.port`.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// What its type is called.
    pub kind: &'static str,
    /// The customary variable that sets it too, such as `PORT`.
    pub variable: Option<&'static str>,
    /// The key that it has in the reference guide, and the guide's default.
    pub guide: Option<(&'static str, &'static str)>,
    /// The default in words, where no fixed value can be printed.
    pub says: Option<&'static str>,
    /// The key whose value this one takes when it is not set.
    pub like: Option<&'static str>,
    pub(super) show: fn(&Config) -> String,
    pub(super) assign: fn(&mut Config, &Value) -> Result<(), String>,
    pub(super) inherit: fn(&mut Config),
}

/// Declares every section and key. An entry reads
/// `key: Type = default, production other, says "in words", like section.key, env "ALIAS", guide "key" "default", check rule;`
/// and everything after the default may be left out.
macro_rules! sections {
    (@option) => { None };
    (@option $($some:expr),+) => { Some(($($some),+)) };
    (@unless_set $config:ident $section:ident.$key:ident) => { let _ = $config; };
    (@unless_set $config:ident $section:ident.$key:ident $from_section:ident.$from_key:ident) => {
        $config.$section.$key = $config.$from_section.$from_key.clone();
    };
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $default:expr
                $(, production $production:expr)?
                $(, says $says:literal)?
                $(, like $from_section:ident.$from_key:ident)?
                $(, env $variable:literal)?
                $(, guide $guide:literal $guide_default:literal)?
                $(, check $check:expr)?
                ;
            )+
        }
    )+) => {
        /// The whole configuration, with every default filled in: `config.http.port`.
        ///
        /// Made by [`Loader::load`](crate::config::Loader::load). `Config::default()` is that of development, for tests. `docs/configuration.md`
        /// lists the keys. `Debug` hides passwords and the application's own values.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct Config {
            $(
                $(#[doc = $about])+
                pub $section: $Section,
            )+
            /// What the defaults were made for.
            pub environment: Environment,
            /// Why it is that environment, in a clause for the banner.
            pub environment_reason: String,
            pub(super) application: Application,
            pub(super) sources: BTreeMap<String, Source>,
        }

        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug)]
            #[non_exhaustive]
            pub struct $Section {
                $(
                    $(#[doc = $doc])+
                    pub $key: $type,
                )+
            }
        )+

        impl Config {
            /// The configuration before anything was read.
            pub(super) fn defaults(environment: Environment, reason: String) -> Self {
                Self {
                    $(
                        $section: $Section {
                            $(
                                $key: {
                                    let value: $type = $default;
                                    $(
                                        let value = match environment {
                                            Environment::Development => value,
                                            Environment::Production => $production,
                                        };
                                    )?
                                    value
                                },
                            )+
                        },
                    )+
                    environment,
                    environment_reason: reason,
                    application: Application::default(),
                    sources: BTreeMap::new(),
                }
            }
        }

        /// The sections' names, in the order of the documentation.
        pub(super) static SECTIONS: &[&str] = &[$(stringify!($section)),+];

        pub(super) static KEYS: &[Key] = &[$($(
            Key {
                name: concat!(stringify!($section), ".", stringify!($key)),
                doc: concat!($($doc),+),
                kind: <$type as Setting>::KIND,
                variable: sections!(@option $($variable)?),
                guide: sections!(@option $($guide, $guide_default)?),
                says: sections!(@option $($says)?),
                like: sections!(@option $(concat!(stringify!($from_section), ".", stringify!($from_key)))?),
                show: |config| Setting::show(&config.$section.$key),
                assign: |config, value| {
                    let value = <$type as Setting>::read(value)?;
                    $( $check(&value)?; )?
                    config.$section.$key = value;
                    Ok(())
                },
                inherit: |config| { sections!(@unless_set config $section.$key $($from_section.$from_key)?); },
            },
        )+)+];
    };
}
pub(super) use sections;
