//! `event = "task.created"`, `event = TaskCreated` and `event("task.created", ordered)`.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, LitStr, Path, ext::IdentExt};

use crate::{
    entries::{self, Entry, Value},
    errors::Errors,
    event,
};

/// What may follow the event.
const WORDS: [&str; 2] = ["ordered", "broadcast"];

/// A subscription.
pub(crate) struct Event {
    pub(crate) key: Ident,
    pub(crate) named: Named,
    pub(crate) order: Order,
}

/// How an event is named.
pub(crate) enum Named {
    Text(LitStr),
    /// By a type, which knows the name and the payload.
    Type(Path),
}

/// How its deliveries stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// Each by itself.
    Any,
    /// One after the other, for each key.
    Ordered,
    /// On every instance, without a job.
    Broadcast,
}

pub(super) fn read(entry: &Entry, errors: &mut Errors) -> Option<Event> {
    let (first, rest) = match &entry.value {
        Value::Flag => (None, Vec::new()),
        Value::Expr(expr) => (Some((**expr).clone()), Vec::new()),
        Value::List(tokens) => entries::parse_led(tokens.clone(), errors),
    };
    let order = order(&rest, errors);
    let Some(first) = first.filter(|first| !is_word(first)) else {
        let message =
            "`event` begins with a name or a type: `event = \"task.created\"` or `event(TaskCreated, ordered)`";
        errors.at(&entry.key, message);
        return None;
    };
    let named = match first {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            errors.keep(event::checked(&text))?;
            Named::Text(text)
        }
        Expr::Path(path) if path.qself.is_none() => Named::Type(path.path),
        other => {
            let message = "`event` takes a name in quotes, or a type with `#[event(…)]`: `event = \"task.created\"` or \
                           `event = TaskCreated`";
            errors.at(other, message);
            return None;
        }
    };
    Some(Event { key: entry.key.clone(), named, order })
}

/// Returns whether an expression is a word that follows the event.
fn is_word(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(path) if WORDS.iter().any(|word| path.path.is_ident(word)))
}

fn order(rest: &[Entry], errors: &mut Errors) -> Order {
    let mut order = Order::Any;
    for entry in rest {
        let named = match entry.key.unraw().to_string().as_str() {
            "ordered" => Order::Ordered,
            "broadcast" => Order::Broadcast,
            _ => {
                errors.push(entries::unknown(&entry.key, &WORDS));
                continue;
            }
        };
        if errors.keep(entry.flag()).is_none() {
            continue;
        }
        if order == Order::Any {
            order = named;
        } else if order == named {
            errors.at(&entry.key, format!("`{}` is here twice; keep one of them", entry.key));
        } else {
            let message = "`ordered` events wait for each other in the queue, and `broadcast` ones are in no queue: leave one \
                           of the two out";
            errors.at(&entry.key, message);
        }
    }
    order
}

impl Named {
    /// Returns it as it is written, to find one that is there twice.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Text(text) => text.value(),
            Self::Type(path) => path.to_token_stream().to_string().replace(' ', ""),
        }
    }
}
