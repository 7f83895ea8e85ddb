//! Collects the named schemas of a document.

use std::collections::BTreeMap;

use schemars::schema::{Schema as Node, SchemaObject};

use super::Schema;

/// The components of one document, filled while schemas refer to them.
#[derive(Debug, Default)]
pub struct Generator {
    definitions: BTreeMap<String, SchemaObject>,
    /// Component name by Rust type, so that two types of one name do not become one.
    names: BTreeMap<&'static str, String>,
}

impl Generator {
    /// Returns a reference to the component of `T`, or its schema when it is not a component.
    pub fn of<T: Schema>(&mut self) -> Node {
        if !T::COMPONENT {
            return Node::Object(T::schema(self));
        }
        let name = self.name_of::<T>();
        if !self.definitions.contains_key(&name) {
            // Reserved before it is made: a recursive type refers to itself.
            self.definitions.insert(name.clone(), SchemaObject::default());
            let schema = T::schema(self);
            self.definitions.insert(name.clone(), schema);
        }
        Self::reference(&name)
    }

    /// Adds a component that has no Rust type of its own and returns a reference to it.
    ///
    /// A second call with the same name keeps the first schema.
    pub fn define(&mut self, name: &str, schema: impl FnOnce(&mut Self) -> SchemaObject) -> Node {
        if !self.definitions.contains_key(name) {
            self.definitions.insert(name.to_owned(), SchemaObject::default());
            let schema = schema(self);
            self.definitions.insert(name.to_owned(), schema);
        }
        Self::reference(name)
    }

    /// Returns whether a component has this name.
    pub fn has(&self, name: &str) -> bool {
        self.definitions.contains_key(name)
    }

    /// Returns all components by name.
    pub fn into_definitions(self) -> BTreeMap<String, SchemaObject> {
        self.definitions
    }

    /// Returns `T`'s label, made different from the label of another type by its module's name, then by a number.
    pub(crate) fn name_of<T: Schema>(&mut self) -> String {
        let rust = T::identity();
        if let Some(name) = self.names.get(rust) {
            return name.clone();
        }
        let label = T::label().into_owned();
        let mut name = label.clone();
        if self.definitions.contains_key(&name) {
            let base = rust.split('<').next().unwrap_or(rust);
            let module = base.rsplit("::").nth(1).unwrap_or_default();
            name = format!("{}{label}", capitalised(module));
            let mut number = 2;
            while self.definitions.contains_key(&name) {
                name = format!("{label}{number}");
                number += 1;
            }
        }
        self.names.insert(rust, name.clone());
        name
    }

    fn reference(name: &str) -> Node {
        Node::new_ref(format!("#/components/schemas/{name}"))
    }
}

fn capitalised(text: &str) -> String {
    text.split('_')
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        })
        .collect()
}
